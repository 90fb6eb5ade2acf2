#include "services/lanes.h"

#include <algorithm>

namespace skysail::services {

using batching::Priority;

namespace {

// What the statistics call the calls of applications without a configuration.
constexpr char kOthers[] = "others";

}  // namespace

Lanes::Lanes(batching::BatchQueue& queue, VersionStats& stats) : queue_(queue), stats_(stats) {
  others_.share.application = kOthers;
  others_.lanes[static_cast<size_t>(Priority::kNormal)] = 0;  // the queue's first
  by_lane_.push_back({Priority::kNormal, &stats_.AddLane(kOthers, Priority::kNormal)});
}

void Lanes::Configure(const std::vector<Share>& shares) {
  // Who is left out has calls waiting, perhaps: as unconfigured ones have they go on.
  for (auto& [name, tenant] : tenants_) tenant.share = Share{name};
  for (const Share& share : shares) tenants_[share.application].share = share;
  for (const auto& [name, tenant] : tenants_) {
    for (const uint32_t lane : tenant.lanes) {
      if (lane != kNone) queue_.SetWeight(lane, tenant.share.weight);
    }
  }
}

uint32_t Lanes::LaneOf(std::string_view application, Priority wish, TimeNs now) {
  const auto found = tenants_.find(application);
  Tenant& tenant = found != tenants_.end() ? found->second : others_;
  const Priority priority = std::max(wish, tenant.share.priority);  // the lower class is greater
  uint32_t& lane = tenant.lanes[static_cast<size_t>(priority)];
  if (lane == kNone) {
    lane = queue_.AddLane(priority, tenant.share.weight);
    by_lane_.push_back({priority, &stats_.AddLane(tenant.share.application, priority)});
  }
  if (last_ != kNone && lane != last_) shared_until_ = now + kOfLate;
  last_ = lane;
  return lane;
}

}  // namespace skysail::services
