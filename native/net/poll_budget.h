// How long a loop may poll for its next event before it sleeps.
//
// To wake a thread that sleeps on an idle core takes tens of microseconds, and a lone call through a
// mesh crosses eight such waits. A loop that has just had something to do looks again for a moment
// instead, which pays when its events follow one another closely. Where they do not, polling is in
// vain, and that is what is limited: a tenth of the time. The allowance is renewed at instants that all
// processes of a machine have in common, so that those of a chain try at the same time: one alone
// finds its neighbours too slow.
//
// A pure state machine: no clock, no thread.
#ifndef SKYSAIL_NET_POLL_BUDGET_H_
#define SKYSAIL_NET_POLL_BUDGET_H_

#include "base/clock.h"

namespace skysail::net {

class PollBudget {
 public:
  static constexpr TimeNs kPeriod = 200 * kMillisecond;
  static constexpr TimeNs kInVainPerPeriod = kPeriod / 10;

  // `window`: how long to poll at a time; 0 never polls.
  explicit PollBudget(TimeNs window) : window_(window) {}

  // How long to poll at `now`, an instant of the monotonic clock.
  TimeNs Window(TimeNs now) {
    if (window_ == 0) return 0;
    if (const TimeNs period = now / kPeriod; period != period_) {
      period_ = period;
      left_ = kInVainPerPeriod;
    }
    return left_ > 0 ? window_ : 0;
  }
  // It was polled for so long, and nothing came.
  void InVain(TimeNs spent) {
    left_ -= spent;
    in_vain_ += spent;
  }
  // How long it was polled in vain, ever.
  TimeNs in_vain() const { return in_vain_; }

 private:
  const TimeNs window_;
  TimeNs period_ = -1;
  TimeNs left_ = 0;
  TimeNs in_vain_ = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_POLL_BUDGET_H_
