#include "services/call_stats.h"

#include <string>
#include <utility>

namespace skysail::services {

Report CallStats::ToReport() const {
  Report errors;
  for (size_t kind = 1; kind < by_kind.size(); ++kind) {
    const uint64_t count = by_kind[kind].value();
    if (count > 0) {
      errors.Add(std::string(ErrorKindName(static_cast<ErrorKind>(kind))), count);
    }
  }
  Report report;
  report.Add("requests", requests.value())
      .Add("ok", by_kind[0].value())
      .Add("defaults", defaults.value())
      .Add("errors", std::move(errors))
      .AddSeconds("latency_s", latency_ns);
  return report;
}

}  // namespace skysail::services
