// Where the time of one call went, as each service tells the one that called it: durations, never clock
// readings, so that processes need not agree on a time. In hop frames, and as a binary trailer of plain calls
// between our own services; never told to callers at the edge.
#ifndef SKYSAIL_SERVICES_TIMING_H_
#define SKYSAIL_SERVICES_TIMING_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace skysail::services {

// In microseconds; 0: no such stage, or not known. Stages do not overlap: what is left of `served_us` when the
// others are taken away went on decisions, and on waiting for a turn of a loop.
struct Timing {
  uint32_t served_us = 0;  // from the call's arrival in the process that tells this to its answer; at least 1
  uint32_t queue_us = 0;   // waited for a replica
  uint32_t fill_us = 0;    // waited for company while a replica stood free
  uint32_t staged_us = 0;  // waited at the replica for the model
  uint32_t model_us = 0;   // the model took
  uint32_t hop_us = 0;     // on the way to the services behind and back, all hops together
  uint64_t batch = 0;      // the batch's id; 0: in none
  uint32_t batch_rows = 0;
  uint32_t limit_rows = 0;  // that the batch was held to
  std::string replica;      // the id of the one that ran it

  static uint32_t Us(TimeNs time) {
    return static_cast<uint32_t>(std::clamp<TimeNs>(time / kMicrosecond, 0, UINT32_MAX));
  }
};

// An encoded skysail.v1.Timing, appended.
void AppendTiming(const Timing& timing, std::string* out);
// False when it is malformed. Fields of later releases are passed over.
bool ParseTiming(std::string_view encoded, Timing* timing);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_TIMING_H_
