// Seconds in Python, nanoseconds here.
#ifndef SKYSAIL_BINDINGS_SECONDS_H_
#define SKYSAIL_BINDINGS_SECONDS_H_

#include <pybind11/pybind11.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/clock.h"

namespace skysail::bindings {

// Durations beyond what fits (292 years) are as good as for ever.
inline TimeNs FromSeconds(double seconds, const char* name) {
  if (std::isnan(seconds)) throw pybind11::value_error(std::string(name) + " is not a number");
  double ns = seconds * static_cast<double>(kSecond);
  if (ns >= static_cast<double>(kNever)) return kNever;
  return ns <= -static_cast<double>(kNever) ? -kNever : static_cast<TimeNs>(ns);
}

inline TimeNs FromSecondsAtLeastZero(double seconds, const char* name) {
  TimeNs ns = FromSeconds(seconds, name);
  if (ns < 0) throw pybind11::value_error(std::string(name) + " must be >= 0");
  return ns;
}

inline double ToSeconds(TimeNs ns) {
  return ns == kNever ? std::numeric_limits<double>::infinity()
                      : static_cast<double>(ns) / static_cast<double>(kSecond);
}

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_SECONDS_H_
