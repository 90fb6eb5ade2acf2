#include "cache/prediction_cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

#include "cache/shard.h"

namespace skysail::cache {
namespace {

// An allocation's own header and rounding, and the entry's share of the table.
constexpr size_t kAllocationBytes = 16;
constexpr size_t kTableBytes = 3 * sizeof(Entry*);
constexpr size_t kAlignment = 16;
// Of entries of 400 bytes there is about one to a bucket; twice as many keys are remembered.
constexpr size_t kBytesPerLine = 192 * Admission::kWays;
constexpr size_t kMaxLinesPerShard = size_t{1} << 20;
constexpr size_t kMinShardBytes = size_t{1} << 20;
// What an insert gives back of erased spaces: more than it takes, so that garbage shrinks.
constexpr size_t kReclaimPerInsert = 2;
// What Reclaim frees while it holds a lock: some microseconds.
constexpr size_t kReclaimPerLock = 32;

size_t FloorPowerOfTwo(size_t n) {
  size_t power = 1;
  while (power <= n / 2) power *= 2;
  return power;
}

size_t ShardCount(const CacheOptions& options) {
  size_t most = static_cast<size_t>(std::max(options.shards, 1));
  return FloorPowerOfTwo(std::clamp<size_t>(options.capacity_bytes / kMinShardBytes, 1, most));
}

uint64_t HashMask(int bits) {
  return bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << std::max(bits, 0)) - 1;
}

uint64_t DrawSeed() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

void AddTo(const CacheStats& from, CacheStats* to) {
  to->lookups += from.lookups;
  to->hits += from.hits;
  to->inserts += from.inserts;
  to->refused += from.refused;
  to->evictions += from.evictions;
  to->expired += from.expired;
  to->erased += from.erased;
  to->entries += from.entries;
  to->bytes += from.bytes;
}

}  // namespace

struct PredictionCache::Impl {
  Impl(const CacheOptions& options, const Clock& clock)
      : clock(clock),
        seed(options.hash_seed != 0 ? options.hash_seed : DrawSeed()),
        hash_mask(HashMask(options.hash_bits)),
        budget{options.capacity_bytes} {
    size_t count = ShardCount(options);
    while ((size_t{1} << shard_bits) < count) ++shard_bits;
    size_t lines = FloorPowerOfTwo(std::clamp<size_t>(
        options.capacity_bytes / count / kBytesPerLine, 1, kMaxLinesPerShard));
    for (size_t i = 0; i < count; ++i) {
      shards.push_back(std::make_unique<Shard>(i, lines, options.admit_all, &budget));
    }
  }
  ~Impl() {
    for (SpaceState* space : spaces) {
      if (space != nullptr) space->Unref();
    }
  }

  size_t ShardOf(const Key& key) const { return key.hash & (shards.size() - 1); }
  uint64_t BucketHash(const Key& key) const { return key.hash >> shard_bits; }

  // Makes room in the shards after `first`, one lock at a time. The caller holds none.
  void MakeRoomElsewhere(size_t first, SpaceState* space) {
    for (size_t i = 1; i < shards.size(); ++i) {
      Departed departed;
      Shard& shard = *shards[(first + i) & (shards.size() - 1)];
      std::lock_guard<std::mutex> lock(shard.mu());
      if (shard.MakeRoom(space, nullptr, &departed)) return;
    }
  }

  // Constant after construction.
  const Clock& clock;
  const uint64_t seed;
  const uint64_t hash_mask;
  int shard_bits = 0;
  Budget budget;
  std::vector<std::unique_ptr<Shard>> shards;

  std::mutex registry_mu;  // taken before a shard's lock
  // Guarded by registry_mu.
  std::vector<SpaceState*> spaces{nullptr};  // by slot; one reference each; slot 0 is kNoSpace's
  std::deque<Space> free_ids;                // longest unused first
};

PredictionCache::PredictionCache(CacheOptions options, const Clock& clock)
    : impl_(std::make_unique<Impl>(options, clock)) {}
PredictionCache::~PredictionCache() = default;

size_t PredictionCache::Charge(size_t key_bytes, size_t value_bytes) {
  size_t block = sizeof(Block) + sizeof(Entry) + key_bytes + value_bytes + kAllocationBytes;
  return (block + kAlignment - 1) / kAlignment * kAlignment + kTableBytes;
}

PredictionCache::Key PredictionCache::MakeKey(Space space, std::string_view bytes) const {
  uint64_t seed = impl_->seed + space * uint64_t{0x9E3779B97F4A7C15};
  uint64_t hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
  return {space, bytes, hash & impl_->hash_mask};
}

void PredictionCache::Prefetch(const Key& key) const {
  impl_->shards[impl_->ShardOf(key)]->Prefetch(impl_->BucketHash(key));
}

std::optional<Slice> PredictionCache::Lookup(const Key& key) {
  Departed departed;
  Shard& shard = *impl_->shards[impl_->ShardOf(key)];
  std::lock_guard<std::mutex> lock(shard.mu());
  ++shard.stats().lookups;
  SpaceState* space = shard.FindSpace(key.space);
  if (space == nullptr) return std::nullopt;
  CacheStats& mine = shard.part(space).stats;
  ++mine.lookups;
  Entry* entry = shard.Find(space, impl_->BucketHash(key), key);
  if (entry == nullptr) return std::nullopt;
  if (entry->expires != kNever && entry->expires <= impl_->clock.Now()) {
    ++shard.stats().expired;
    ++mine.expired;
    shard.Remove(entry, &departed);
    return std::nullopt;
  }
  ++shard.stats().hits;
  ++mine.hits;
  shard.Touch(entry);
  return entry->value();
}

bool PredictionCache::Insert(const Key& key, std::string_view value, TimeNs ttl) {
  size_t charge = Charge(key.bytes.size(), value.size());
  if (charge > impl_->budget.capacity) return false;
  size_t home = impl_->ShardOf(key);
  bool fresh = false;
  {
    // Decided before anything is copied, and copied without the lock.
    Departed departed;
    Shard& shard = *impl_->shards[home];
    std::lock_guard<std::mutex> lock(shard.mu());
    SpaceState* space = shard.FindSpace(key.space);
    if (space == nullptr || (space->quota != 0 && charge > space->quota)) return false;
    shard.Reclaim(kReclaimPerInsert, &departed);
    if (shard.Find(space, impl_->BucketHash(key), key) == nullptr &&
        !shard.Admit(space, impl_->BucketHash(key), key.hash, charge, impl_->clock, &fresh)) {
      return false;
    }
  }
  TimeNs now = ttl > 0 ? impl_->clock.Now() : 0;
  Entry* entry = Entry::New(key.bytes, value);
  entry->hash = key.hash;
  entry->fresh = fresh;
  entry->expires = ttl <= 0 || ttl >= kNever - now ? kNever : now + ttl;

  SpaceState* crowded = nullptr;
  {
    Departed departed;
    Shard& shard = *impl_->shards[home];
    std::lock_guard<std::mutex> lock(shard.mu());
    SpaceState* space = shard.FindSpace(key.space);
    if (space == nullptr) {  // erased meanwhile
      entry->Unref();
      return false;
    }
    if (Entry* old = shard.Find(space, impl_->BucketHash(key), key)) {
      ++shard.stats().erased;
      ++shard.part(space).stats.erased;
      shard.Remove(old, &departed);
    }
    space->Ref();
    entry->space = space;
    shard.Add(entry, impl_->BucketHash(key));
    if (!shard.MakeRoom(space, entry, &departed)) {
      space->Ref();  // the space may go while no lock is held
      crowded = space;
    }
  }
  if (crowded != nullptr) {
    impl_->MakeRoomElsewhere(home, crowded);
    crowded->Unref();
  }
  return true;
}

bool PredictionCache::Erase(const Key& key) {
  Departed departed;
  Shard& shard = *impl_->shards[impl_->ShardOf(key)];
  std::lock_guard<std::mutex> lock(shard.mu());
  SpaceState* space = shard.FindSpace(key.space);
  Entry* entry = space == nullptr ? nullptr : shard.Find(space, impl_->BucketHash(key), key);
  if (entry == nullptr) return false;
  ++shard.stats().erased;
  ++shard.part(space).stats.erased;
  shard.Remove(entry, &departed);
  return true;
}

Space PredictionCache::AddSpace(size_t quota_bytes) {
  std::lock_guard<std::mutex> lock(impl_->registry_mu);
  Space id = kNoSpace;
  if (!impl_->free_ids.empty()) {
    id = impl_->free_ids.front();
    impl_->free_ids.pop_front();
  } else if (impl_->spaces.size() < (size_t{1} << kSpaceSlotBits)) {
    id = static_cast<Space>(impl_->spaces.size());
    impl_->spaces.push_back(nullptr);
  } else {
    return kNoSpace;
  }
  auto* space = new SpaceState(id, quota_bytes, impl_->shards.size());
  impl_->spaces[SpaceSlot(id)] = space;
  for (auto& shard : impl_->shards) {
    std::lock_guard<std::mutex> shard_lock(shard->mu());
    shard->SetSpace(SpaceSlot(id), space);
  }
  return id;
}

void PredictionCache::EraseSpace(Space id) {
  std::lock_guard<std::mutex> lock(impl_->registry_mu);
  Space slot = SpaceSlot(id);
  SpaceState* space = slot < impl_->spaces.size() ? impl_->spaces[slot] : nullptr;
  if (space == nullptr || space->id != id) return;
  for (auto& shard : impl_->shards) {
    std::lock_guard<std::mutex> shard_lock(shard->mu());
    shard->DropSpace(slot);
  }
  impl_->spaces[slot] = nullptr;
  impl_->free_ids.push_back(id + (1u << kSpaceSlotBits));
  space->Unref();
}

size_t PredictionCache::Reclaim(size_t max_entries) {
  size_t freed = 0;
  for (auto& shard : impl_->shards) {
    for (size_t some = kReclaimPerLock; some == kReclaimPerLock && freed < max_entries;) {
      Departed departed;
      std::lock_guard<std::mutex> lock(shard->mu());
      some = shard->Reclaim(std::min(kReclaimPerLock, max_entries - freed), &departed);
      freed += some;
    }
  }
  return freed;
}

CacheStats PredictionCache::stats() const {
  CacheStats sum;
  for (const auto& shard : impl_->shards) {
    std::lock_guard<std::mutex> lock(shard->mu());
    AddTo(shard->stats(), &sum);
  }
  return sum;
}

CacheStats PredictionCache::stats(Space id) const {
  CacheStats sum;
  for (const auto& shard : impl_->shards) {
    std::lock_guard<std::mutex> lock(shard->mu());
    if (SpaceState* space = shard->FindSpace(id)) AddTo(shard->part(space).stats, &sum);
  }
  return sum;
}

}  // namespace skysail::cache
