// How many retries a share of the traffic may cause: each call earns a fraction of a retry, each retry
// spends one, so that a peer in trouble is not buried under calls sent again.
#ifndef SKYSAIL_SERVICES_RETRY_BUDGET_H_
#define SKYSAIL_SERVICES_RETRY_BUDGET_H_

#include <algorithm>

namespace skysail::services {

// Not thread-safe.
class RetryBudget {
 public:
  void OnCall() { tokens_ = std::min(tokens_ + kPerCall, kMost); }
  // True when a retry may be made; it is then spent.
  bool Spend() {
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  static constexpr double kPerCall = 0.2;
  static constexpr double kMost = 100;  // also the first balance: a restart of a peer is survived
  double tokens_ = kMost;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_RETRY_BUDGET_H_
