#include "telemetry/histogram.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <map>
#include <vector>

#include "bindings/bindings.h"

namespace skysail::bindings {
namespace {

using telemetry::Histogram;
using Snapshot = Histogram::Snapshot;

uint64_t Quantile(const Snapshot& snapshot, double q) {
  if (!(q >= 0 && q <= 1)) throw py::value_error("q must be in [0, 1]");
  return snapshot.Quantile(q);
}

std::vector<uint64_t> CountsUpTo(const Snapshot& snapshot, const std::vector<uint64_t>& bounds) {
  if (!std::is_sorted(bounds.begin(), bounds.end())) throw py::value_error("bounds must ascend");
  return snapshot.CountsUpTo(bounds);
}

std::map<int, uint64_t> Occupied(const Snapshot& snapshot) {
  std::map<int, uint64_t> found;
  for (size_t i = 0; i < snapshot.buckets.size(); ++i) {
    if (snapshot.buckets[i] > 0) found.emplace_hint(found.end(), static_cast<int>(i), snapshot.buckets[i]);
  }
  return found;
}

Snapshot FromOccupied(const std::map<int, uint64_t>& buckets, uint64_t sum) {
  Snapshot snapshot;
  snapshot.buckets.resize(Histogram::kBuckets);
  for (const auto& [index, count] : buckets) {
    if (index < 0 || index >= Histogram::kBuckets) throw py::value_error("there is no such bucket");
    snapshot.buckets[static_cast<size_t>(index)] = count;
    snapshot.count += count;
  }
  snapshot.sum = sum;
  return snapshot;
}

}  // namespace

void BindHistogram(py::module_& module) {
  py::class_<Snapshot>(
      module, "HistogramSnapshot", py::is_final(),
      "What a histogram held at one instant. `a + b` joins two, `later - earlier` of the\n"
      "same histogram is the window between them.")
      .def(py::init<>())
      .def(py::init(&FromOccupied), py::arg("buckets"), py::arg("sum"))
      .def_property_readonly("buckets", &Occupied,
                             "The number of values in each bucket that holds any, by its place.")
      .def_readonly("count", &Snapshot::count, "How many values were recorded.")
      .def_readonly("sum", &Snapshot::sum, "Their exact sum.")
      .def_property_readonly("mean", &Snapshot::Mean, "Their mean; 0 when there are none.")
      .def("quantile", &Quantile, py::arg("q"),
           "The value below or at which a share `q` in [0, 1] of the values lies, too high by at "
           "most 1/16;\n"
           "0 when there are none.")
      .def("counts_up_to", &CountsUpTo, py::arg("bounds"),
           "How many values lie at or below each bound, to within a bucket; the bounds must ascend.")
      .def(
          "__add__", [](Snapshot self, const Snapshot& other) { return self += other; },
          py::is_operator())
      .def(
          "__sub__", [](Snapshot self, const Snapshot& earlier) { return self -= earlier; },
          py::is_operator());

  py::class_<Histogram>(
      module, "Histogram", py::is_final(),
      "Counts whole numbers in [0, 2^42) in buckets that are 1/16 of their value wide.\n\n"
      "Thread-safe and lock-free; larger values count in the last bucket. The unit is\n"
      "the caller's: microseconds or nanoseconds of latency, rows of a batch.")
      .def(py::init<>())
      .def("record", &Histogram::Record, py::arg("value"), "Counts one value, 0 or more.")
      .def("snapshot", &Histogram::snapshot, "A copy to ask for quantiles.");
}

}  // namespace skysail::bindings
