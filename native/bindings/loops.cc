#include "bindings/loops.h"

#include <pybind11/pybind11.h>

#include "base/cores.h"
#include "bindings/bindings.h"

namespace skysail::bindings {
namespace {

void JoinAndDelete(net::LoopThreads* loops) {
  if (!Py_IsInitialized() || !PyGILState_Check()) {
    delete loops;
    return;
  }
  py::gil_scoped_release release;
  delete loops;
}

LoopsPtr NewLoops(int threads, int poll_us) {
  if (threads < 1 || threads > 256) throw py::value_error("threads must be in [1, 256]");
  if (poll_us < 0 || poll_us > 10'000) throw py::value_error("poll_us must be in [0, 10000]");
  const net::Polling polling(poll_us * kMicrosecond, UsableCores());
  return LoopsPtr(new net::LoopThreads(threads, polling), JoinAndDelete);
}

}  // namespace

void BindLoops(py::module_& module) {
  py::class_<net::LoopThreads, LoopsPtr>(
      module, "Loops", py::is_final(),
      "Event-loop threads that the server and the services of one process share.\n\n"
      "`threads`: how many; each owns its connections. Idle ones sleep.\n"
      "`poll_us`: the longest wait, in microseconds, that one polls through instead of sleeping, where\n"
      "that makes waits shorter; 0 always sleeps. In vain for a twentieth of the time at most.")
      .def(py::init(&NewLoops), py::arg("threads") = 1, py::kw_only(), py::arg("poll_us") = 0)
      .def("start", &net::LoopThreads::Start, py::call_guard<py::gil_scoped_release>(),
           "Starts the threads; returns once every loop turns. Once.")
      .def("stop", &net::LoopThreads::Stop, py::call_guard<py::gil_scoped_release>(),
           "Stops and joins the threads. Shut servers down first. Idempotent.");
}

}  // namespace skysail::bindings
