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

class WaitAhead {
 public:
  // `rows` > 0 at once; free in `free_in`.
  void Add(const LimitController& replica, int64_t rows, TimeNs free_in) {
    rows_at_once_ += rows;
    free_in_ = std::min(free_in_, free_in);
    if (slowest_ == nullptr || replica.Estimate(rows) > round_) {
      slowest_ = &replica;
      slowest_rows_ = rows;
      round_ = replica.Estimate(rows);
    }
  }
  // Until the last of `rows` (>= 1) is answered; 0 while nothing was learned or no replica was added.
  TimeNs For(int64_t rows) const {
    if (slowest_ == nullptr || round_ == 0) return 0;
    const int64_t full_rounds = (rows - 1) / rows_at_once_;
    // Of the last round the slowest replica gets its part.
    const double part = static_cast<double>(rows - full_rounds * rows_at_once_) /
                        static_cast<double>(rows_at_once_);
    const auto last_rows = static_cast<int64_t>(part * static_cast<double>(slowest_rows_) + 0.999);
    const double wait = static_cast<double>(full_rounds) * static_cast<double>(round_) +
                        static_cast<double>(slowest_->Estimate(std::max<int64_t>(last_rows, 1))) +
                        static_cast<double>(free_in_);
    return wait < static_cast<double>(kMost) ? static_cast<TimeNs>(wait) : kMost;
  }

 private:
  static constexpr TimeNs kMost = 24 * 3600 * kSecond;  // longer ones are no other: adds to any instant

  const LimitController* slowest_ = nullptr;
  int64_t slowest_rows_ = 0;
  int64_t rows_at_once_ = 0;
  TimeNs round_ = 0;
  TimeNs free_in_ = kNever;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_WAIT_AHEAD_H_
