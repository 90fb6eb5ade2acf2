// What one loop of a server has counted. Each counter has one writer, the loop's thread, so that
// counting costs a plain load and store; any thread may read.
#ifndef SKYSAIL_NET_SERVER_COUNTERS_H_
#define SKYSAIL_NET_SERVER_COUNTERS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "net/offence.h"

namespace skysail::net {

class Counter {
 public:
  void Add(int64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + static_cast<uint64_t>(n),
                 std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct ServerCounters {
  Counter connections_accepted, connections_open, connections_refused, accepts_put_off;
  Counter connections_retired;
  Counter calls_started, calls_open, calls_cancelled, protocol_errors;
  Counter bytes_read, bytes_written;
  Counter offences[kOffences];
  Counter overruns[kOverruns];

  Counter& of(Offence offence) { return offences[static_cast<size_t>(offence)]; }
  Counter& of(Overrun overrun) { return overruns[static_cast<size_t>(overrun)]; }
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SERVER_COUNTERS_H_
