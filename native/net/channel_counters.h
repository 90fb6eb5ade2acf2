// What all client channels of this process have seen of their peers. Any thread may count and read.
#ifndef SKYSAIL_NET_CHANNEL_COUNTERS_H_
#define SKYSAIL_NET_CHANNEL_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "net/offence.h"

namespace skysail::net {

class ChannelCounters {
 public:
  static ChannelCounters& OfProcess() {
    static ChannelCounters counters;
    return counters;
  }

  void Count(Offence offence) { Add(&offences_[static_cast<size_t>(offence)]); }
  void Count(Overrun overrun) { Add(&overruns_[static_cast<size_t>(overrun)]); }
  uint64_t of(Offence offence) const { return offences_[static_cast<size_t>(offence)].load(); }
  uint64_t of(Overrun overrun) const { return overruns_[static_cast<size_t>(overrun)].load(); }

 private:
  static void Add(std::atomic<uint64_t>* counter) { counter->fetch_add(1, std::memory_order_relaxed); }

  std::array<std::atomic<uint64_t>, kOffences> offences_{};
  std::array<std::atomic<uint64_t>, kOverruns> overruns_{};
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_CHANNEL_COUNTERS_H_
