// What a batcher counts for one model version.
#ifndef SKYSAIL_SERVICES_VERSION_STATS_H_
#define SKYSAIL_SERVICES_VERSION_STATS_H_

#include <atomic>
#include <cstdint>

#include "services/call_stats.h"
#include "services/report.h"
#include "telemetry/histogram.h"

namespace skysail::services {

// Thread-safe, without locks. Gauges are written by the queue's home loop.
struct VersionStats {
  CallStats calls;
  telemetry::Counter cache_lookups, cache_hits, coalesced;
  telemetry::Counter batches, expired, refused, retried, replicas_lost;
  telemetry::Histogram queue_ns;    // from arrival to dispatch, per call
  telemetry::Histogram model_ns;    // of one batch, as the replica took it
  telemetry::Histogram batch_rows;
  std::atomic<int64_t> limit_rows{0};  // the largest among the replicas
  std::atomic<uint64_t> queued{0}, batches_in_flight{0};
  std::atomic<uint64_t> replicas{0}, replicas_ready{0};

  Report ToReport() const;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_VERSION_STATS_H_
