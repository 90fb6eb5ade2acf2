// How a Status becomes a Python exception.
#ifndef SKYSAIL_BINDINGS_ERRORS_H_
#define SKYSAIL_BINDINGS_ERRORS_H_

#include <string>
#include <utility>

#include "base/status.h"

namespace skysail::bindings {

// Raises NativeError with the status' message and its kind's name. Requires the GIL and
// !status.ok().
[[noreturn]] void Raise(const Status& status);
// Raises QueueFull, a NativeError of kind ResourceExhausted. Requires the GIL.
[[noreturn]] void RaiseQueueFull(const std::string& message);

// The kind of that name, such as "Internal"; InvalidArgument when there is none.
Result<ErrorKind> ParseErrorKind(const std::string& name);

inline void Check(const Status& status) {
  if (!status.ok()) Raise(status);
}
template <typename T>
T Check(Result<T> result) {
  if (!result.ok()) Raise(result.status());
  return std::move(*result);
}

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_ERRORS_H_
