// How long rows that come now would wait for their answer, going by what was learned of the replicas.
//
// The rows are dealt out to the replicas in rounds of what each takes at once; the first round begins
// when the first replica is free. A pure function in steps: add every replica that can be used, then
// ask.
#ifndef SKYSAIL_BATCHING_WAIT_AHEAD_H_
#define SKYSAIL_BATCHING_WAIT_AHEAD_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"
#include "batching/limit_controller.h"

namespace skysail::batching {

// How many rows come. O(1) a call; no memory of more than the last hundred or so.
class ArrivalRate {
 public:
  void OnArrival(int64_t rows, TimeNs now) {
    if (last_ >= 0) {
      mean_gap_ns_ += kGain * (static_cast<double>(now - last_) / static_cast<double>(rows) -
                               mean_gap_ns_);
    }
    last_ = now;
  }
  // Expected within `time`.
  double RowsIn(TimeNs time) const { return static_cast<double>(time) / gap_ns(); }
  // Between two rows; > 0.
  double gap_ns() const { return mean_gap_ns_ + 1; }

 private:
  static constexpr double kGain = 0.01;

  TimeNs last_ = -1;
  double mean_gap_ns_ = 1e9;
};

class WaitAhead {
 public:
  // `rows` > 0 at once; free in `free_in`; what was learned of it is off by `margin`, perhaps.
  void Add(const LimitController& replica, int64_t rows, TimeNs free_in, TimeNs margin) {
    rows_at_once_ += rows;
    free_in_ = std::min(free_in_, free_in);
    margin_ = std::max(margin_, margin);
    if (slowest_ == nullptr || replica.Estimate(rows) > round_) {
      slowest_ = &replica;
      slowest_rows_ = rows;
      round_ = replica.Estimate(rows);
    }
  }
  // Until the last of `rows` (>= 1) is answered; 0 while nothing was learned or no replica was added.
  // Rows that come until its batch begins go into that too.
  TimeNs For(int64_t rows, const ArrivalRate& arrivals) const {
    if (slowest_ == nullptr || round_ == 0) return 0;
    const int64_t full_rounds = (rows - 1) / rows_at_once_;
    const double begins = static_cast<double>(full_rounds) * static_cast<double>(round_) +
                          static_cast<double>(free_in_);
    if (begins >= static_cast<double>(kMost)) return kMost;
    const auto at_once = static_cast<double>(rows_at_once_);
    const double last = std::min(static_cast<double>(rows - full_rounds * rows_at_once_) +
                                     arrivals.RowsIn(static_cast<TimeNs>(begins)),
                                 at_once);
    // Of that round the slowest replica gets its part.
    const double part = std::max(last / at_once * static_cast<double>(slowest_rows_), 1.0);
    return static_cast<TimeNs>(begins) + slowest_->Estimate(static_cast<int64_t>(part)) + margin_;
  }

 private:
  static constexpr TimeNs kMost = 24 * 3600 * kSecond;  // can be added to any instant

  const LimitController* slowest_ = nullptr;
  int64_t slowest_rows_ = 0;
  int64_t rows_at_once_ = 0;
  TimeNs round_ = 0;
  TimeNs free_in_ = kNever;
  TimeNs margin_ = 0;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_WAIT_AHEAD_H_
