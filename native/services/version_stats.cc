#include "services/version_stats.h"

#include <map>
#include <utility>

namespace skysail::services {
namespace {

constexpr std::array<const char*, kRefusals> kRefusalNames{"wait_ahead", "queue_full", "made_room",
                                                           "too_late", "expired"};

Report RefusalReport(const std::array<uint64_t, kRefusals>& counts) {
  Report report;
  for (size_t i = 0; i < kRefusals; ++i) report.Add(kRefusalNames[i], counts[i]);
  return report;
}

}  // namespace

LaneStats& VersionStats::AddLane(const std::string& application, batching::Priority priority) {
  std::lock_guard<std::mutex> lock(mu_);
  for (const auto& lane : lanes_) {
    if (lane->application == application && lane->priority == priority) return *lane;
  }
  lanes_.push_back(std::make_unique<LaneStats>(application, priority));
  return *lanes_.back();
}

Report VersionStats::ToReport() const {
  std::array<uint64_t, kRefusals> refused{};
  std::map<std::string, Report> by_application;
  {
    std::lock_guard<std::mutex> lock(mu_);
    for (const auto& lane : lanes_) {
      std::array<uint64_t, kRefusals> counts{};
      for (size_t i = 0; i < kRefusals; ++i) refused[i] += counts[i] = lane->refused[i].value();
      const uint64_t dispatched = lane->dispatched.value();
      if (dispatched == 0 && counts == std::array<uint64_t, kRefusals>{}) continue;
      Report report;
      report.Add("dispatched", dispatched).Add("refused", RefusalReport(counts));
      by_application[lane->application].Add(std::string(PriorityName(lane->priority)),
                                            std::move(report));
    }
  }
  Report applications;
  for (auto& [name, report] : by_application) applications.Add(name, std::move(report));
  Report cache;
  cache.Add("lookups", cache_lookups.value())
      .Add("hits", cache_hits.value())
      .Add("coalesced", coalesced.value());
  Report batching;
  batching.Add("batches", batches.value())
      .AddDistribution("rows", batch_rows)
      .Add("limit_rows", static_cast<uint64_t>(limit_rows.load(std::memory_order_relaxed)))
      .AddSeconds("queue_s", queue_ns)
      .AddSeconds("model_s", model_ns)
      .Add("queued", queued.load(std::memory_order_relaxed))
      .Add("in_flight", batches_in_flight.load(std::memory_order_relaxed))
      .Add("refused", RefusalReport(refused))
      .Add("retried", retried.value());
  Report replica_counts;
  replica_counts.Add("known", replicas.load(std::memory_order_relaxed))
      .Add("ready", replicas_ready.load(std::memory_order_relaxed))
      .Add("lost", replicas_lost.value())
      .Add("hung", replicas_hung.value());
  Report report = calls.ToReport();
  report.Add("cache", std::move(cache))
      .Add("batching", std::move(batching))
      .Add("applications", std::move(applications))
      .Add("replicas", std::move(replica_counts));
  return report;
}

}  // namespace skysail::services
