#include "batching/spacing.h"

#include <algorithm>

namespace skysail::batching {
namespace {

// How far apart, in fixed costs, and at most as a part of what a batch may take. Less saves less of the
// model's time, more lets calls wait for little in return.
constexpr double kTimesFixed = 7;
constexpr TimeNs kPartOfObjective = 6;
// What a row may cost at most, of what it costs when batches begin as soon as they can.
constexpr double kCheaper = 0.75;
// Arrivals count as independent while this share of their rate, or more, is left when many are here; less is
// what chance makes of it. Nothing follows from fewer rows than that.
constexpr double kLeftOfRate = 0.75;
constexpr double kEnoughRows = 100;
// Of the arrivals counted; more would be slow to see a change, fewer would let chance decide.
constexpr double kForget = 0.9995;
constexpr int kStretch = 32;  // batches

}  // namespace

void Spacing::OnPresent(int64_t rows, TimeNs now) {
  // A time at which nobody is here says nothing of whether callers wait for each other.
  if (present_ > 0) ShareOf(present_).time_ns += static_cast<double>(now - present_since_);
  present_ = rows;
  present_since_ = now;
  most_ = std::max(most_, rows);
}

void Spacing::OnArrival(int64_t rows) {
  if (present_ > 0) {
    for (Share* share : {&few_, &many_}) {
      share->rows *= kForget;
      share->time_ns *= kForget;
    }
    ShareOf(present_).rows += static_cast<double>(rows);
    weight_ = weight_ * kForget + 1;
    mean_present_ += (static_cast<double>(present_) - mean_present_) / weight_;
  }
  present_ += rows;
}

void Spacing::OnBegin(TimeNs at) {
  last_begin_ = at;
  if (++begins_ < kStretch) return;
  begins_ = 0;
  most_before_ = most_;
  most_ = present_;
}

bool Spacing::Independent() const {
  if (few_.rows < kEnoughRows || many_.rows < kEnoughRows) return false;
  return many_.Rate() >= kLeftOfRate * few_.Rate();
}

TimeNs Spacing::Until(const Scene& scene) const {
  const double window = std::min(kTimesFixed * scene.fixed_ns,
                                 static_cast<double>(scene.objective / kPartOfObjective));
  const double load = scene.row_ns / scene.gap_ns;  // by what rows cost without the fixed part
  if (scene.gap_ns > scene.fixed_ns || load >= 1) return 0;
  const double rows_at_once = std::max(scene.fixed_ns / scene.gap_ns / (1 - load), 1.0);
  const double rows_apart = std::max(window / scene.gap_ns, 1.0);
  const auto row_costs = [&scene](double rows) { return scene.fixed_ns / rows + scene.row_ns; };
  if (row_costs(rows_apart) > kCheaper * row_costs(rows_at_once)) return 0;
  if (present_ >= std::max(most_, most_before_) || !Independent()) return 0;
  return last_begin_ + static_cast<TimeNs>(window);
}

}  // namespace skysail::batching
