// One shard of the prediction cache: a hash table with exact LRU order, for the cache's Impl alone.
//
// Callers hold `mu` for every method. Nothing is freed under the lock: entries that leave are
// chained onto a Departed list, whose destructor frees them; declare it before the lock is taken.
#ifndef SKYSAIL_CACHE_SHARD_H_
#define SKYSAIL_CACHE_SHARD_H_

#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/admission.h"
#include "cache/entry.h"
#include "cache/prediction_cache.h"

namespace skysail::cache {

// A space's part in one shard. On a cache line of its own: shards are locked separately.
struct alignas(64) SpaceInShard {
  Link peers;        // most recently used first
  CacheStats stats;  // its own lookups, hits, ..., entries and bytes
};

// Kept by the registry and by every entry; the last one to let go deletes it.
struct SpaceState {
  SpaceState(Space id, size_t quota, size_t shards) : id(id), quota(quota), in_shard(shards) {}
  void Ref() { references.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  // Whether it is over, or would be with `more` bytes.
  bool OverQuota(size_t more = 0) const {
    return quota != 0 && bytes.load(std::memory_order_relaxed) + more > quota;
  }

  const Space id;
  const size_t quota;  // 0: none
  std::atomic<size_t> bytes{0};
  std::atomic<size_t> references{1};
  std::vector<SpaceInShard> in_shard;  // [i] guarded by shard i's lock
};

// The bytes of the whole cache against its capacity.
struct Budget {
  // Whether it is over, or would be with `more` bytes.
  bool Over(size_t more = 0) const {
    return used.load(std::memory_order_relaxed) + more > capacity;
  }
  const size_t capacity;
  std::atomic<size_t> used{0};
};

class Departed {
 public:
  Departed() = default;
  Departed(const Departed&) = delete;
  Departed& operator=(const Departed&) = delete;
  ~Departed();
  void Add(Entry* entry) {
    entry->chain = first_;
    first_ = entry;
  }

 private:
  Entry* first_ = nullptr;
};

class Shard {
 public:
  // `lines`, of the table, is a power of two; it never grows. Each has a few buckets, and places for a
  // few keys that are not held, of which it is known when they were seen last. With `admit_all` every key
  // is let in.
  Shard(size_t index, size_t lines, bool admit_all, Budget* budget);
  ~Shard();  // frees its entries
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  std::mutex& mu() const { return mu_; }

  // The space, or nullptr when it is unknown or was erased.
  SpaceState* FindSpace(Space id) const;
  void SetSpace(size_t slot, SpaceState* space);
  // Forgets the space; its entries wait on the garbage list.
  void DropSpace(size_t slot);

  // Asks for the memory that Find, Admit and Add will touch; takes no lock.
  void Prefetch(uint64_t bucket_hash) const { __builtin_prefetch(&LineOf(bucket_hash), 1); }
  Entry* Find(SpaceState* space, uint64_t bucket_hash, const PredictionCache::Key& key);
  void Touch(Entry* entry);  // now the most recently used
  // Whether a key that is not held may come in with that charge: when there is room, or when what would
  // leave first is worth less (or has expired at `clock`'s time). Counts a refusal. `fresh` is for Add.
  bool Admit(SpaceState* space, uint64_t bucket_hash, uint64_t hash, size_t charge,
             const Clock& clock, bool* fresh);
  void Add(Entry* entry, uint64_t bucket_hash);
  void Remove(Entry* entry, Departed* departed);
  // Evicts until the budget and the quota of `space` hold, sparing `keep` (may be null); what
  // erased spaces left goes first. False when there is too little here to evict.
  bool MakeRoom(SpaceState* space, const Entry* keep, Departed* departed);
  size_t Reclaim(size_t max_entries, Departed* departed);

  CacheStats& stats() { return stats_; }
  const CacheStats& stats() const { return stats_; }
  SpaceInShard& part(SpaceState* space) { return space->in_shard[index_]; }

 private:
  // The first entry of a chain, and in the 16 bits that addresses leave free a filter of the chain's
  // hashes: a key that is not here is nearly always told by the bucket alone, without touching
  // entries that are in no processor cache.
  class Bucket {
   public:
    Entry* first() const { return reinterpret_cast<Entry*>(word_ & kAddress); }
    bool MayHold(uint64_t hash) const { return (word_ & FilterBit(hash)) != 0; }
    void Push(Entry* entry);
    void Remove(Entry* entry);

   private:
    static constexpr int kAddressBits = 48;
    static constexpr uint64_t kAddress = (uint64_t{1} << kAddressBits) - 1;
    // The bits that choose shard and bucket are the low ones.
    static uint64_t FilterBit(uint64_t hash) {
      return uint64_t{1} << (kAddressBits + (hash >> 60));
    }
    uint64_t word_;
  };
  // All that is touched for a key that is not held, in one cache line: no processor cache near by has room
  // for the table, so each line of it that is looked at costs as much as some hundred instructions.
  struct alignas(64) Line {
    static constexpr int kBucketBits = 2;
    Bucket buckets[1 << kBucketBits];
    Admission::Seen seen;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  // What would be evicted first for `charge` bytes more in the space; null when there is room, or
  // nothing here to evict.
  Entry* VictimFor(SpaceState* space, size_t charge);
  void Evict(Entry* entry, Departed* departed);
  Line& LineOf(uint64_t bucket_hash) const {
    return table_[bucket_hash >> Line::kBucketBits & mask_];
  }
  Bucket& BucketOf(uint64_t bucket_hash) const {
    return LineOf(bucket_hash).buckets[bucket_hash & ((1 << Line::kBucketBits) - 1)];
  }

  // Constant after construction.
  const size_t index_;
  const size_t mask_;
  Budget* const budget_;
  const std::unique_ptr<void, Free> memory_;  // with the table in it
  Line* const table_;
  const std::unique_ptr<Admission> admission_;  // guarded by mu_; null: every key is let in

  mutable std::mutex mu_;
  // Guarded by mu_.
  Link recent_;                      // every entry, most recently used first
  Link garbage_;                     // entries of erased spaces
  std::vector<SpaceState*> spaces_;  // by slot; not owned
  CacheStats stats_;
};

}  // namespace skysail::cache

#endif  // SKYSAIL_CACHE_SHARD_H_
