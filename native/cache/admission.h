// Whether a key that the cache does not hold may displace one that it holds. Per shard, for Shard
// alone; its caller holds the shard's lock. O(1).
//
// A key is let in when it was seen before, and more recently than the entry that would leave for it
// was used: what came twice in that time beats what did not come once (the rule of LIRS: Jiang, Zhang,
// SIGMETRICS'02). So inputs that never repeat displace nothing and are not kept, a scan leaves the hot
// set alone, and of a loop longer than the cache a part stays. Of keys that were seen a fingerprint and
// a time is kept, in sets of a few, oldest out first. The sets are the shard's, beside its buckets, so that
// a miss looks at one cache line and no more.
//
// Some callers ask twice within a short time and then never again. There a key is let in at first
// sight: whenever, of late, a quarter as many keys as came new came back soon. And of the other keys
// that are new one in kTrickle is let in, so that a new working set gets in even if it is larger than
// the table remembers.
//
// Time is counted in inserts tried, the misses of this shard.
#ifndef SKYSAIL_CACHE_ADMISSION_H_
#define SKYSAIL_CACHE_ADMISSION_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "cache/entry.h"

namespace skysail::cache {

class Admission {
 public:
  static constexpr size_t kWays = 8;
  // Keys that were seen: a fingerprint above, a time below; 0: none.
  using Seen = std::array<uint32_t, kWays>;

  // All sets together have places for `keys` keys.
  explicit Admission(size_t keys);

  uint64_t now() const { return now_; }

  // A new key comes in, there being room. Entries let in without a second sight are `fresh`.
  void OnRoom() {
    ++now_;
    Learn(false);
  }
  // A held entry is used; of a fresh one this is the second sight. Requires `entries` held.
  void OnUse(Entry* entry, size_t entries) {
    if (entry->fresh) {
      entry->fresh = false;
      if (IsSoon(now_ - entry->used, entries)) Learn(true);
    }
    entry->used = now_;
  }

  enum class Verdict : uint8_t { kRefused, kFirstSight, kReturning };
  // A new key, whose set is `seen`, would displace `victim`, of `entries` held.
  Verdict Weigh(uint64_t hash, Seen* seen, const Entry& victim, size_t entries);

 private:
  // The ticks since the key was seen before, or kNotSeen; it is seen now.
  static constexpr uint64_t kNotSeen = UINT64_MAX;
  uint64_t See(uint64_t hash, Seen* seen) const;
  static bool IsSoon(uint64_t age, size_t entries) { return age < entries / 2; }
  void Learn(bool came_back) {
    if (came_back) {
      came_back_ += (kOne - came_back_) >> kLearnBits;
    } else {
      came_back_ -= came_back_ >> kLearnBits;
    }
  }

  static constexpr uint32_t kOne = 1u << 24;
  static constexpr int kLearnBits = 8;             // the last few hundred keys count
  static constexpr uint32_t kRecency = kOne / 5;   // one came back for four that came new
  static constexpr uint64_t kTrickle = 64;

  int tick_bits_ = 0;  // of now_ below a tick, so that 16 bits of ticks outlast what is remembered
  uint64_t now_ = 0;
  uint64_t refused_ = 0;
  uint32_t came_back_ = 0;  // share of kOne, among the keys that came new or came back soon
};

}  // namespace skysail::cache

#endif  // SKYSAIL_CACHE_ADMISSION_H_
