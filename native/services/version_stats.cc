#include "services/version_stats.h"

#include <utility>

namespace skysail::services {

Report VersionStats::ToReport() const {
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
      .Add("expired", expired.value())
      .Add("refused", refused.value())
      .Add("retried", retried.value());
  Report replica_counts;
  replica_counts.Add("known", replicas.load(std::memory_order_relaxed))
      .Add("ready", replicas_ready.load(std::memory_order_relaxed))
      .Add("lost", replicas_lost.value());
  Report report = calls.ToReport();
  report.Add("cache", std::move(cache))
      .Add("batching", std::move(batching))
      .Add("replicas", std::move(replica_counts));
  return report;
}

}  // namespace skysail::services
