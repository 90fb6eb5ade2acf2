// The parts of the extension module `_core`. Each Bind function adds one part to the module;
// module.cc calls them in an order in which every type is known before a signature mentions it.
#ifndef SKYSAIL_BINDINGS_BINDINGS_H_
#define SKYSAIL_BINDINGS_BINDINGS_H_

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>  // in every part alike: a cast must not differ from file to file

namespace skysail::bindings {

namespace py = pybind11;

void BindErrors(py::module_& module);
void BindClock(py::module_& module);
void BindHistogram(py::module_& module);
void BindPredictionCache(py::module_& module);
void BindLimitController(py::module_& module);
void BindBatchQueue(py::module_& module);
void BindLoops(py::module_& module);
void BindServices(py::module_& module);
void BindServerStream(py::module_& module);
void BindServer(py::module_& module);
void BindTracing(py::module_& module);

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_BINDINGS_H_
