// Which lane of a version's queue a call goes to: what its application has in its class of priority.
#ifndef SKYSAIL_SERVICES_LANES_H_
#define SKYSAIL_SERVICES_LANES_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "batching/batch_queue.h"
#include "services/config.h"
#include "services/version_stats.h"

namespace skysail::services {

// A lane is made when the first call comes to it, and stays. Applications that no configuration
// named share one, of normal priority and weight 1, so lanes are bounded by what operators wrote.
// Home loop only; LaneOf is O(log applications).
class Lanes {
 public:
  Lanes(batching::BatchQueue& queue, VersionStats& stats);

  void Configure(const std::vector<Share>& shares);
  // `wish`: the class that the caller asks for. It may go below its application's, not above.
  uint32_t LaneOf(std::string_view application, batching::Priority wish, TimeNs now);
  // Whether calls of several lanes came of late.
  bool shared(TimeNs now) const { return now < shared_until_; }
  LaneStats& stats(uint32_t lane) { return *by_lane_[lane].stats; }
  batching::Priority priority(uint32_t lane) const { return by_lane_[lane].priority; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr TimeNs kOfLate = 10 * kSecond;
  struct Tenant {
    Share share;
    std::array<uint32_t, batching::kPriorities> lanes{kNone, kNone, kNone};
  };
  struct Lane {
    batching::Priority priority;
    LaneStats* stats;
  };

  batching::BatchQueue& queue_;
  VersionStats& stats_;
  std::map<std::string, Tenant, std::less<>> tenants_;
  Tenant others_;
  std::vector<Lane> by_lane_;
  uint32_t last_ = kNone;
  TimeNs shared_until_ = -1;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_LANES_H_
