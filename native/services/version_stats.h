// What a batcher counts for one model version.
#ifndef SKYSAIL_SERVICES_VERSION_STATS_H_
#define SKYSAIL_SERVICES_VERSION_STATS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "batching/fair_order.h"
#include "services/call_stats.h"
#include "services/report.h"
#include "telemetry/histogram.h"

namespace skysail::services {

// Why a call was not run.
enum class Refusal : uint8_t {
  kWaitAhead,  // on arrival: the wait is longer than it has
  kQueueFull,  // on arrival: no room, and its application holds its share of it
  kMadeRoom,   // had to leave a full queue to another application
  kTooLate,    // before dispatch: its answer would not be there in time
  kExpired,    // its deadline passed in the queue
};
inline constexpr size_t kRefusals = 5;

// Of what one application sent in one class of priority. Thread-safe, without locks.
struct LaneStats {
  LaneStats(std::string application, batching::Priority priority)
      : application(std::move(application)), priority(priority) {}
  const std::string application;
  const batching::Priority priority;
  telemetry::Counter dispatched;
  std::array<telemetry::Counter, kRefusals> refused;
};

// Of a replica and those that took its place. Thread-safe, without locks.
struct ReplicaStats {
  explicit ReplicaStats(std::string label) : label(std::move(label)) {}
  const std::string label;
  telemetry::Histogram batch_ns;  // of one batch, from when the replica had it to itself to its answer
  telemetry::Histogram hop_ns;    // of that, the way to it and back; of replicas that tell
  telemetry::Counter lost, hung;
};

// Thread-safe; without locks but for AddLane, AddReplica and ToReport. Gauges are written by the queue's home loop.
struct VersionStats {
  CallStats calls;
  telemetry::Counter cache_lookups, cache_hits, coalesced;
  telemetry::Counter batches, retried;
  telemetry::Histogram queue_ns;  // from arrival to dispatch, per call
  telemetry::Histogram fill_ns;   // per batch: the part of that in which its replica stood free
  telemetry::Histogram batch_rows;
  std::atomic<int64_t> limit_rows{0};  // the largest among the replicas
  std::atomic<uint64_t> queued{0}, batches_in_flight{0};
  std::atomic<uint64_t> replicas{0}, replicas_ready{0};

  // Another lane, or the one that was there before under a queue that went. It stays as long as this.
  LaneStats& AddLane(const std::string& application, batching::Priority priority);
  // Another replica, or what is kept under that label already. It stays as long as this.
  ReplicaStats& AddReplica(const std::string& label);
  Report ToReport() const;

 private:
  mutable std::mutex mu_;
  std::vector<std::unique_ptr<LaneStats>> lanes_;             // guarded by mu_
  std::vector<std::unique_ptr<ReplicaStats>> replica_stats_;  // guarded by mu_
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_VERSION_STATS_H_
