// What a service counts of its calls, per application or per model version.
#ifndef SKYSAIL_SERVICES_CALL_STATS_H_
#define SKYSAIL_SERVICES_CALL_STATS_H_

#include <array>

#include "base/clock.h"
#include "base/status.h"
#include "services/report.h"
#include "telemetry/histogram.h"

namespace skysail::services {

// A count for each kind of error, and for none. Thread-safe, without locks.
class KindCounts {
 public:
  void Add(ErrorKind kind) { counts_[static_cast<size_t>(kind)].Add(); }
  uint64_t total() const;
  // By code, those that occurred: "ok", "deadline_exceeded" and so on.
  Report ToReport() const;

 private:
  std::array<telemetry::Counter, kErrorKinds> counts_;
};

// Thread-safe, without locks.
struct CallStats {
  telemetry::Counter requests;
  KindCounts ended;
  KindCounts defaults;              // answered with the default output, by what it stands in for
  telemetry::Histogram latency_ns;  // from arrival to answer

  void Ended(ErrorKind kind) { ended.Add(kind); }
  void Ended(ErrorKind kind, TimeNs latency) {
    Ended(kind);
    latency_ns.Record(latency > 0 ? static_cast<uint64_t>(latency) : 0);
  }
  // requests, in_flight, ended {by code}, defaults {by code}, latency_s.
  Report ToReport() const;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_CALL_STATS_H_
