#include "batching/limit_controller.h"

#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "bindings/seconds.h"

namespace skysail::bindings {
namespace {

using batching::LimitController;
using batching::LimitOptions;

std::unique_ptr<LimitController> New(int64_t initial_rows, int64_t max_rows, double increase,
                                     double decrease) {
  if (initial_rows < 1) throw py::value_error("initial_rows must be >= 1");
  if (max_rows < 1) throw py::value_error("max_rows must be >= 1");
  if (!(increase > 0)) throw py::value_error("increase must be > 0");
  if (!(decrease > 0 && decrease < 1)) throw py::value_error("decrease must be in (0, 1)");
  LimitOptions options;
  options.initial_rows = initial_rows;
  options.max_rows = max_rows;
  options.increase = increase;
  options.decrease = decrease;
  return std::make_unique<LimitController>(options);
}

void Observe(LimitController& controller, int64_t rows, double latency_s, double objective_s,
             bool full) {
  if (rows < 1) throw py::value_error("rows must be >= 1");
  controller.Observe(rows, FromSecondsAtLeastZero(latency_s, "latency_s"),
                     FromSecondsAtLeastZero(objective_s, "objective_s"), full);
}

}  // namespace

void BindLimitController(py::module_& module) {
  const LimitOptions defaults;
  py::class_<LimitController>(
      module, "LimitController", py::is_final(),
      "How many rows a batch may have, learned from what batches took (AIMD with a fast start).\n\n"
      "A pure state machine: no clock and no threads; guard it when several threads use it.\n"
      "`initial_rows`: the first limit. `max_rows`: never passed. `increase`: rows added after a "
      "full\n"
      "batch inside its objective. `decrease`: factor after a miss, in (0, 1).")
      .def(py::init(&New), py::kw_only(), py::arg("initial_rows") = defaults.initial_rows,
           py::arg("max_rows") = defaults.max_rows, py::arg("increase") = defaults.increase,
           py::arg("decrease") = defaults.decrease)
      .def("observe", &Observe, py::arg("rows"), py::arg("latency_s"), py::arg("objective_s"),
           py::kw_only(), py::arg("full"),
           "A batch of `rows` rows took `latency_s` and was owed within `objective_s` seconds.\n\n"
           "`full`: it was as large as the limit allowed; only such batches raise the limit.")
      .def_property_readonly("limit", &LimitController::limit,
                             "Rows of the next batch, in [1, max_rows].")
      .def(
          "estimate_s",
          [](const LimitController& controller, int64_t rows) {
            return ToSeconds(controller.Estimate(rows));
          },
          py::arg("rows"),
          "Seconds that a batch of `rows` rows is expected to take; 0 while unknown.");
}

}  // namespace skysail::bindings
