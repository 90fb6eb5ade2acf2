#include "services/call_stats.h"

#include <algorithm>
#include <string>
#include <utility>

namespace skysail::services {

uint64_t KindCounts::total() const {
  uint64_t sum = 0;
  for (const telemetry::Counter& count : counts_) sum += count.value();
  return sum;
}

Report KindCounts::ToReport() const {
  Report report;
  for (size_t kind = 0; kind < counts_.size(); ++kind) {
    const uint64_t count = counts_[kind].value();
    if (count > 0) report.Add(ErrorCode(static_cast<ErrorKind>(kind)), count);
  }
  return report;
}

Report CallStats::ToReport() const {
  // What ended is read first: a call that comes meanwhile counts as in flight, none counts below zero.
  const uint64_t over = ended.total();
  const uint64_t begun = std::max(requests.value(), over);
  Report report;
  report.Add("requests", begun)
      .Add("in_flight", begun - over)
      .Add("ended", ended.ToReport())
      .Add("defaults", defaults.ToReport())
      .AddSeconds("latency_s", latency_ns.snapshot());
  return report;
}

}  // namespace skysail::services
