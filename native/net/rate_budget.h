// How often something may happen: `burst` times at once, `per_s` times a second in the long run. Pure, one
// number of state: the instant at which everything that was spent will have been earned again.
#ifndef SKYSAIL_NET_RATE_BUDGET_H_
#define SKYSAIL_NET_RATE_BUDGET_H_

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace skysail::net {

struct Rate {
  // `interval` is what one event costs; `burst` of them may be owed at a time.
  TimeNs interval;
  int64_t burst;
};

class RateBudget {
 public:
  // One more event; false when it is one too many. `earned`: events that were paid for otherwise since the
  // last call; they never count for more than a burst.
  bool Spend(const Rate& rate, TimeNs now, uint64_t earned) {
    const auto paid = static_cast<int64_t>(std::min(earned, static_cast<uint64_t>(rate.burst)));
    repaid_at_ = std::max(repaid_at_ - paid * rate.interval, now) + rate.interval;
    return repaid_at_ - now <= rate.burst * rate.interval;
  }

 private:
  TimeNs repaid_at_ = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_RATE_BUDGET_H_
