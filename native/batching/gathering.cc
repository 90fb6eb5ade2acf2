#include "batching/gathering.h"

#include <algorithm>
#include <cmath>

namespace skysail::batching {
namespace {

// The window, as parts of a batch's fixed cost and of the time that a batch may take.
constexpr TimeNs kPartOfBase = 4;
constexpr TimeNs kPartOfObjective = 20;
// Weight of the newest batch.
constexpr double kGain = 0.2;
// What waiting must promise to bring, as a multiple of its cost.
constexpr double kMargin = 2;
// Of those who are expected, how many are waited for: a few always come late.
constexpr double kPatience = 0.95;

TimeNs Window(const Gathering::Scene& scene) {
  return std::min(scene.base / kPartOfBase, scene.objective / kPartOfObjective);
}

}  // namespace

void Gathering::OnAnswered(int64_t rows, TimeNs now, const Scene& scene) {
  if (answered_ > 0) {
    const double share =
        std::min(static_cast<double>(returned_) / static_cast<double>(answered_), 1.0);
    share_ += kGain * (share - share_);
  }
  watched_until_ = now + Window(scene);
  answered_ = rows;
  returned_ = 0;
  target_ = Target(rows, scene);
}

int64_t Gathering::Target(int64_t answered, const Scene& scene) const {
  const double room = static_cast<double>(scene.limit - scene.waiting);
  const double expected = std::min(share_ * static_cast<double>(answered), room);
  const double cost = static_cast<double>(Window(scene)) * static_cast<double>(scene.waiting);
  const bool pays = kMargin * cost < expected * static_cast<double>(scene.base);
  if (expected < 1 || !pays) return scene.waiting;
  return scene.waiting + std::llround(kPatience * expected);
}

}  // namespace skysail::batching
