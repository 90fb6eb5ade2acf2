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

ReplicaStats& VersionStats::AddReplica(const std::string& label) {
  std::lock_guard<std::mutex> lock(mu_);
  for (const auto& replica : replica_stats_) {
    if (replica->label == label) return *replica;
  }
  replica_stats_.push_back(std::make_unique<ReplicaStats>(label));
  return *replica_stats_.back();
}

Report VersionStats::ToReport() const {
  std::array<uint64_t, kRefusals> refused{};
  std::map<std::string, Report> by_application;
  Report by_replica;
  telemetry::Histogram::Snapshot model;
  uint64_t lost = 0, hung = 0;
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
  {
    std::lock_guard<std::mutex> lock(mu_);
    for (const auto& replica : replica_stats_) {
      telemetry::Histogram::Snapshot took = replica->batch_ns.snapshot();
      model += took;
      lost += replica->lost.value();
      hung += replica->hung.value();
      Report report;
      report.Add("lost", replica->lost.value())
          .Add("hung", replica->hung.value())
          .AddSeconds("batch_s", std::move(took))
          .AddSeconds("hop_s", replica->hop_ns.snapshot());
      by_replica.Add(replica->label, std::move(report));
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
      .AddDistribution("rows", batch_rows.snapshot())
      .Add("limit_rows", static_cast<uint64_t>(limit_rows.load(std::memory_order_relaxed)))
      .AddSeconds("queue_s", queue_ns.snapshot())
      .AddSeconds("fill_s", fill_ns.snapshot())
      .AddSeconds("model_s", std::move(model))
      .Add("queued", queued.load(std::memory_order_relaxed))
      .Add("in_flight", batches_in_flight.load(std::memory_order_relaxed))
      .Add("refused", RefusalReport(refused))
      .Add("retried", retried.value());
  Report replica_counts;
  replica_counts.Add("known", replicas.load(std::memory_order_relaxed))
      .Add("ready", replicas_ready.load(std::memory_order_relaxed))
      .Add("lost", lost)
      .Add("hung", hung)
      .Add("each", std::move(by_replica));
  Report report = calls.ToReport();
  report.Add("cache", std::move(cache))
      .Add("batching", std::move(batching))
      .Add("applications", std::move(applications))
      .Add("replicas", std::move(replica_counts));
  return report;
}

}  // namespace skysail::services
