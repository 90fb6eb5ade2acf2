// The one thread on which native threads have Python called. A loop thread never waits for the GIL:
// it hands the call over here and goes on.
#ifndef SKYSAIL_BINDINGS_DISPATCHER_H_
#define SKYSAIL_BINDINGS_DISPATCHER_H_

#include <cstddef>
#include <functional>
#include <memory>

#include <pybind11/pybind11.h>

namespace skysail::bindings {

// Thread-safe. Lives as long as the process; its thread starts with the first task and is joined
// before the interpreter is finalised, after which tasks are dropped.
class Dispatcher {
 public:
  static Dispatcher& Get();

  // Runs `task` with the GIL, in the order of posting. What it raises is reported as unraisable.
  // The task is destroyed with the GIL too. Requires no GIL and never waits for it.
  void Post(std::function<void()> task);
  size_t pending() const;
  // Runs what is left and joins the thread. Requires that the GIL is not held.
  void Stop();

 private:
  Dispatcher();
  struct Impl;
  Impl* const impl_;  // never destroyed: native threads may outlive static destructors
};

// A Python object that native threads may share, pass on and drop without the GIL.
using SharedObject = std::shared_ptr<pybind11::object>;
SharedObject Share(pybind11::object object);  // requires the GIL

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_DISPATCHER_H_
