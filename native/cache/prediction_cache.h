// The prediction cache: opaque values under whole keys, least recently used out first, under a byte
// budget. While there is room every key comes in; then one that is new must have been seen before, and
// since what would leave for it was used (admission.h).
//
// Sharded by hash; every method is thread-safe, holds one shard's lock for O(1) expected time (plus
// the comparison of one key), and never calls out with a lock held. A hit compares the whole key,
// so two different keys never share a value, whatever the hash does. Knows nothing of requests.
//
// The budget is the cache's, not a shard's: an insert makes room in its own shard first, in the
// next ones when that is not enough. Each shard is in exact LRU order, so a cache of one shard is,
// and a cache of many is as near as hashing is fair. `bytes` may pass the capacity only by the
// entries that other threads are inserting at that instant.
#ifndef SKYSAIL_CACHE_PREDICTION_CACHE_H_
#define SKYSAIL_CACHE_PREDICTION_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/slice.h"

namespace skysail::cache {

// A namespace of keys: one per (model, version digest). Entries go when their space is erased.
// A slot (20 bits) and how often the slot was used before (12 bits), so that an old space is not
// taken for the new one in its slot.
using Space = uint32_t;
inline constexpr int kSpaceSlotBits = 20;
inline constexpr Space SpaceSlot(Space space) { return space & ((1u << kSpaceSlotBits) - 1); }

struct CacheOptions {
  size_t capacity_bytes = size_t{24} << 20;  // keys + values + bookkeeping; 0 keeps nothing
  // Most shards; rounded down to a power of two, and to one per MiB of capacity, so that a small
  // cache evicts in exact order.
  int shards = 16;
  int hash_bits = 64;      // fewer only in tests: forces collisions
  uint64_t hash_seed = 0;  // 0: drawn at construction, so that nobody can prepare colliding keys
  // Lets every key in at first sight, also when another must leave for it: plain LRU.
  bool admit_all = false;
};

struct CacheStats {
  uint64_t lookups = 0, hits = 0, inserts = 0;
  uint64_t refused = 0;    // inserts of keys that were not let in
  uint64_t evictions = 0;  // for room: the capacity's or a quota's
  uint64_t expired = 0;    // found past their TTL
  uint64_t erased = 0;     // by Erase, EraseSpace, or replaced by a newer value
  // What is held now; of the whole cache: with what erased spaces have yet to give back.
  size_t entries = 0, bytes = 0;
};

class PredictionCache {
 public:
  explicit PredictionCache(CacheOptions options, const Clock& clock = SystemClock::Get());
  ~PredictionCache();

  // A key and its hash, made once and used for the lookup, the single flight and the insert.
  // The bytes are viewed, not owned.
  struct Key {
    Space space;
    std::string_view bytes;
    uint64_t hash;
  };
  Key MakeKey(Space space, std::string_view bytes) const;

  // Starts to fetch what Lookup or Insert of the key will touch first: for callers that have other
  // work to do before, or many keys at a time.
  void Prefetch(const Key& key) const;
  // The value, and the entry becomes the most recently used; nothing when absent or past its TTL.
  std::optional<Slice> Lookup(const Key& key);
  // Keeps a copy of `value` (replacing an older one) until evicted, erased, or `ttl` has passed (0:
  // for ever). A copy, so that a small answer does not keep the large message alive that it was cut
  // from. Refused (false) when space was erased, its quota or the capacity cannot hold it, or it is
  // not let in; then nothing was copied.
  bool Insert(const Key& key, std::string_view value, TimeNs ttl = 0);
  bool Erase(const Key& key);

  // A fresh space; `quota_bytes` bounds what it may hold (0: the capacity), least recently used of
  // the space out first. kNoSpace, which takes no inserts, when 2^20 spaces are in use. O(shards).
  Space AddSpace(size_t quota_bytes = 0);
  static constexpr Space kNoSpace = 0;
  // Forgets a space at once: no lookup finds its entries from then on, and no insert is taken.
  // O(shards): the memory is given back by later inserts, a few entries each, before anything
  // living is evicted; and by Reclaim.
  void EraseSpace(Space space);
  // Frees up to `max_entries` entries of erased spaces and returns how many it freed. For a control
  // thread to call until it returns 0; holds a lock for a few entries at a time.
  size_t Reclaim(size_t max_entries = SIZE_MAX);

  // What an entry is charged with: its key and value, its bookkeeping and its allocation.
  static size_t Charge(size_t key_bytes, size_t value_bytes);

  CacheStats stats() const;
  CacheStats stats(Space space) const;  // zeroes when the space was erased

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::cache

#endif  // SKYSAIL_CACHE_PREDICTION_CACHE_H_
