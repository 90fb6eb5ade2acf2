#include "cache/admission.h"

namespace skysail::cache {
namespace {

constexpr size_t kMostTicksRemembered = 4096;

}  // namespace

Admission::Admission(size_t keys) {
  while (keys >> tick_bits_ > kMostTicksRemembered) ++tick_bits_;
}

uint64_t Admission::See(uint64_t hash, Seen* seen) const {
  const auto drawn = static_cast<uint16_t>(hash >> 44);
  const uint16_t fingerprint = drawn != 0 ? drawn : 1;  // 0 marks an empty slot
  const auto tick = static_cast<uint16_t>(now_ >> tick_bits_);
  uint32_t* oldest = nullptr;
  uint32_t oldest_age = 0;
  for (uint32_t& slot : *seen) {
    const auto age = static_cast<uint16_t>(tick - slot);
    if (slot >> 16 == fingerprint) {
      slot = uint32_t{fingerprint} << 16 | tick;
      return age;
    }
    const uint32_t rank = slot == 0 ? UINT32_MAX : age;
    if (oldest == nullptr || rank > oldest_age) {
      oldest = &slot;
      oldest_age = rank;
    }
  }
  *oldest = uint32_t{fingerprint} << 16 | tick;
  return kNotSeen;
}

Admission::Verdict Admission::Weigh(uint64_t hash, Seen* seen, const Entry& victim,
                                    size_t entries) {
  ++now_;
  const uint64_t age = See(hash, seen);
  bool since_victim = false;
  if (age == kNotSeen) {
    Learn(false);
  } else {
    const uint64_t tick = now_ >> tick_bits_;
    since_victim = age <= tick && (tick - age) << tick_bits_ > victim.used;
    if (since_victim && IsSoon(age << tick_bits_, entries)) Learn(true);
  }
  if (since_victim) return Verdict::kReturning;
  const bool trickle = ++refused_ % kTrickle == 0;
  return came_back_ > kRecency || trickle ? Verdict::kFirstSight : Verdict::kRefused;
}

}  // namespace skysail::cache
