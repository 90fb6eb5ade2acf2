// What a service counts of its calls, per application or per model version.
#ifndef SKYSAIL_SERVICES_CALL_STATS_H_
#define SKYSAIL_SERVICES_CALL_STATS_H_

#include <array>

#include "base/clock.h"
#include "base/status.h"
#include "services/report.h"
#include "telemetry/histogram.h"

namespace skysail::services {

// Thread-safe, without locks.
struct CallStats {
  telemetry::Counter requests;
  telemetry::Counter defaults;  // answered with the default output
  std::array<telemetry::Counter, kErrorKinds> by_kind;  // how calls ended; [kOk] counts successes
  telemetry::Histogram latency_ns;                      // from arrival to answer

  void Ended(ErrorKind kind) { by_kind[static_cast<size_t>(kind)].Add(); }
  void Ended(ErrorKind kind, TimeNs latency) {
    Ended(kind);
    latency_ns.Record(latency > 0 ? static_cast<uint64_t>(latency) : 0);
  }
  // requests, ok, defaults, errors {by kind that occurred}, latency_s.
  Report ToReport() const;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_CALL_STATS_H_
