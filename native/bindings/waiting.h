// Waiting for something native from Python.
#ifndef SKYSAIL_BINDINGS_WAITING_H_
#define SKYSAIL_BINDINGS_WAITING_H_

#include <pybind11/pybind11.h>

#include <algorithm>
#include <optional>

#include "base/clock.h"
#include "bindings/seconds.h"

namespace skysail::bindings {

// Calls `wait(slice)` with the GIL released until it returns true or `timeout_s` is over (none:
// never); returns what it returned last. It wakes now and then so that Ctrl-C is not held up.
// Requires the GIL.
template <typename Wait>
bool WaitInterruptibly(std::optional<double> timeout_s, Wait wait) {
  constexpr TimeNs kSlice = 500 * kMillisecond;
  const Clock& clock = SystemClock::Get();
  TimeNs until = timeout_s ? After(clock.Now(), FromSeconds(*timeout_s, "timeout_s")) : kNever;
  for (;;) {
    TimeNs left = until == kNever ? kSlice : std::max<TimeNs>(until - clock.Now(), 0);
    bool done;
    {
      pybind11::gil_scoped_release release;
      done = wait(std::min(left, kSlice));
    }
    if (done || (until != kNever && left <= kSlice)) return done;
    if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
  }
}

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_WAITING_H_
