#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "telemetry/trace_context.h"

namespace skysail::bindings {

void BindTracing(py::module_& module) {
  module.def(
      "trace_faults",
      [] {
        const telemetry::TraceFaults& faults = telemetry::TraceFaults::Get();
        py::dict dict;
        dict["traceparent"] = faults.traceparents.value();
        dict["tracestate"] = faults.tracestates.value();
        return dict;
      },
      "How many trace headers of callers this process dropped because they were malformed, by name.");
}

}  // namespace skysail::bindings
