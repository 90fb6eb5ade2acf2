// What a run saw, and its one line of JSON.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_REPORT_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_REPORT_H_

#include <cstdint>
#include <map>
#include <string>

#include "loadgen/histogram.h"

namespace skysail::loadgen {

// `ok`, `latency_ns` and `seconds` are of the measured window; failures and wrong answers are of
// the whole run: a warm-up excuses slowness only.
struct Report {
  bool open_loop = false;
  uint64_t ok = 0;
  uint64_t all_ok = 0;  // with warm-up and drain: divide a server's CPU time by this
  uint64_t checked = 0;
  uint64_t wrong = 0;
  double last_wrong_s = 0;  // when the last of them came, on the system's clock (Unix); 0: there was none
  std::map<std::string, uint64_t, std::less<>> errors;
  Histogram latency_ns;  // calls that an open loop never saw answered count as kForever
  Histogram refused_ns;  // of calls that ended with RESOURCE_EXHAUSTED in the measured window
  double seconds = 0;
  double cpu_s = 0;      // the load generator's own, whole run

  uint64_t failed() const;
  std::string ToJson() const;
};

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_REPORT_H_
