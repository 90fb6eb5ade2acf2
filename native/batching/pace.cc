#include "batching/pace.h"

#include <algorithm>
#include <cmath>

namespace skysail::batching {
namespace {

// From sealing a batch here to the replica having it decoded.
constexpr TimeNs kWayToReplica = 150 * kMicrosecond;
// What runs may take so many times what was learned, and at least the objective within these bounds:
// below, a pause of the machine would count as hung; above, calls would have no time left.
constexpr int kOverdueFactor = 4;
constexpr TimeNs kLeastPatience = 250 * kMillisecond;
constexpr TimeNs kMostPatience = kSecond;
// Weight of the newest estimate's error in their mean.
constexpr double kSurpriseGain = 0.1;

}  // namespace

int64_t Pace::rows_in_flight() const {
  int64_t rows = 0;
  for (const Flight& flight : in_flight_) rows += flight.rows;
  return rows;
}

void Pace::Sent(int64_t rows, bool full, TimeNs now) {
  if (in_flight_.empty()) running_since_ = now;
  in_flight_.push_back({rows, full, now});
}

Pace::Ran Pace::Ended(size_t at, TimeNs now) {
  const Flight flight = in_flight_[at];
  in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(at));
  const Ran ran{flight.rows, flight.full, now - std::max(flight.sent, running_since_)};
  if (at == 0) running_since_ = now;
  return ran;
}

void Pace::Learn(const Ran& ran, bool late, TimeNs now, TimeNs objective, int64_t waiting,
                 int64_t limit) {
  if (late && ran.took <= objective) return;  // its time was not over: it says nothing
  const TimeNs expected = controller_.Estimate(ran.rows);
  if (!late && expected > 0) {
    const double error = std::abs(static_cast<double>(ran.took - expected));
    surprise_ns_ += kSurpriseGain * (error - surprise_ns_);
  }
  controller_.Observe(ran.rows, ran.took, objective, ran.full);
  gathering_.OnAnswered(ran.rows, now, {controller_.Estimate(1), objective, waiting, limit});
}

TimeNs Pace::SealAt() const {
  const TimeNs expected = controller_.Estimate(in_flight_.front().rows);
  const TimeNs margin = kWayToReplica + static_cast<TimeNs>(2 * surprise_ns_);
  return running_since_ + expected - margin;
}

TimeNs Pace::FreeAt(TimeNs now) const {
  if (in_flight_.empty()) return now;
  TimeNs at = std::max(now, running_since_ + controller_.Estimate(in_flight_.front().rows));
  if (in_flight_.size() > 1) at += controller_.Estimate(in_flight_.back().rows);
  return at;
}

TimeNs Pace::Margin(int64_t rows) const {
  // One very late batch must not keep calls away that would show that it was an exception.
  return std::min(static_cast<TimeNs>(2 * surprise_ns_), controller_.Estimate(rows) / 4);
}

TimeNs Pace::OverdueAt(TimeNs objective) const {
  if (in_flight_.empty()) return kNever;
  const TimeNs expected = controller_.Estimate(in_flight_.front().rows);
  const TimeNs patience = std::clamp(objective, kLeastPatience, kMostPatience);
  return running_since_ + std::max(kOverdueFactor * expected, expected + patience);
}

bool Pace::WorthGathering(int64_t waiting, int64_t limit, TimeNs objective) const {
  const Gathering::Scene scene{controller_.Estimate(1), objective, waiting, limit};
  return gathering_.Target(in_flight_.front().rows, scene) > waiting;
}

}  // namespace skysail::batching
