// The prediction cache: opaque values under whole keys, least recently used out first, under a byte budget.
//
// Sharded by hash; every method is thread-safe, holds one shard's lock for O(1) expected time (plus
// the comparison of one key), and never calls out with a lock held. A hit compares the whole key, so
// two different keys never share a value, whatever the hash does. Knows nothing of requests.
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
using Space = uint32_t;

struct CacheOptions {
  size_t capacity_bytes = size_t{256} << 20;  // keys + values + bookkeeping; 0 keeps nothing
  int shards = 16;                            // a power of two
  int hash_bits = 64;                         // fewer only in tests: forces collisions
};

struct CacheStats {
  uint64_t lookups, hits, inserts, evictions, expired, erased;
  size_t entries, bytes;
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

  // The value, and the entry becomes the most recently used; nothing when absent or past its TTL.
  std::optional<Slice> Lookup(const Key& key);
  // Keeps `value` (replacing an older one) until evicted, erased, or `ttl` has passed (0: for ever).
  // Refused (false) when space was erased, its quota or the capacity cannot hold it.
  bool Insert(const Key& key, Slice value, TimeNs ttl = 0);
  bool Erase(const Key& key);

  // A fresh space; `quota_bytes` bounds what it may hold (0: the capacity).
  Space AddSpace(size_t quota_bytes = 0);
  // Forgets a space at once: no lookup finds its entries from then on, and no insert is taken.
  void EraseSpace(Space space);

  CacheStats stats() const;
  CacheStats stats(Space space) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::cache

#endif  // SKYSAIL_CACHE_PREDICTION_CACHE_H_
