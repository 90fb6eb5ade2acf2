// Ids that differ from all others: of spans, and of batches.
#ifndef SKYSAIL_TELEMETRY_SPAN_IDS_H_
#define SKYSAIL_TELEMETRY_SPAN_IDS_H_

#include <cstdint>
#include <random>

namespace skysail::telemetry {

// 64 bits, never 0, spread evenly. Each thread has a source of its own, seeded from the system.
inline uint64_t NewId() {
  thread_local uint64_t state = [] {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
  }();
  // SplitMix64: each state once before any comes again.
  uint64_t id = state += 0x9e3779b97f4a7c15;
  id = (id ^ id >> 30) * 0xbf58476d1ce4e5b9;
  id = (id ^ id >> 27) * 0x94d049bb133111eb;
  id ^= id >> 31;
  return id != 0 ? id : 1;
}

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_SPAN_IDS_H_
