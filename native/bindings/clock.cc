#include "base/clock.h"

#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "bindings/seconds.h"

namespace skysail::bindings {

void BindClock(py::module_& module) {
  py::class_<ManualClock>(
      module, "ManualClock", py::is_final(),
      "A monotonic clock that stands still until it is moved by hand, for tests.")
      .def(py::init([](double now_s) {
             return std::make_unique<ManualClock>(FromSecondsAtLeastZero(now_s, "now_s"));
           }),
           py::kw_only(), py::arg("now_s") = 0.0)
      .def(
          "advance",
          [](ManualClock& clock, double by_s) {
            clock.Advance(FromSecondsAtLeastZero(by_s, "by_s"));
          },
          py::arg("by_s"), "Moves the clock forward by `by_s` seconds.")
      .def_property_readonly(
          "now_s", [](const ManualClock& clock) { return ToSeconds(clock.Now()); },
          "Seconds since the clock's origin.");
}

}  // namespace skysail::bindings
