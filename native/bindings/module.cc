// The extension module skysail.native._core.
#include <pybind11/pybind11.h>

#include "bindings/bindings.h"

PYBIND11_MODULE(_core, module) {
  using namespace skysail::bindings;  // NOLINT: the module's own parts
  module.doc() = "The C++ core of Skysail.";
  BindErrors(module);
  BindClock(module);
  BindHistogram(module);
  BindPredictionCache(module);
  BindLimitController(module);
  BindBatchQueue(module);
  BindLoops(module);
  BindServices(module);
  BindServerStream(module);
  BindServer(module);
  BindTracing(module);
}
