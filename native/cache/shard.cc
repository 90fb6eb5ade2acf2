#include "cache/shard.h"

#include <cstdint>
#include <new>
#include <type_traits>

namespace skysail::cache {
namespace {

// Zeroed pages that the system supplies as they are touched: a large table costs an empty cache
// nothing.
void* Zeroes(size_t bytes) {
  void* memory = std::calloc(bytes, 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

template <typename T>
T* FirstIn(void* memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return reinterpret_cast<T*>((address + alignof(T) - 1) / alignof(T) * alignof(T));
}

size_t ChargeOf(const Entry& entry) {
  return PredictionCache::Charge(entry.key_size, entry.value_size);
}

}  // namespace

Departed::~Departed() {
  while (first_ != nullptr) {
    Entry* next = first_->chain;
    first_->space->Unref();
    first_->Unref();
    first_ = next;
  }
}

void Shard::Bucket::Push(Entry* entry) {
  entry->chain = first();
  word_ = reinterpret_cast<uint64_t>(entry) | (word_ & ~kAddress) | FilterBit(entry->hash);
}

void Shard::Bucket::Remove(Entry* entry) {
  Entry* head = first();
  if (head == entry) head = entry->chain;
  uint64_t filter = 0;
  for (Entry* at = head; at != nullptr; at = at->chain) {
    if (at->chain == entry) at->chain = entry->chain;
    filter |= FilterBit(at->hash);
  }
  word_ = reinterpret_cast<uint64_t>(head) | filter;
}

Shard::Shard(size_t index, size_t lines, bool admit_all, Budget* budget)
    : index_(index), mask_(lines - 1), budget_(budget), memory_(Zeroes((lines + 1) * sizeof(Line))),
      table_(FirstIn<Line>(memory_.get())),
      admission_(admit_all ? nullptr : std::make_unique<Admission>(lines * Admission::kWays)) {
  // Zeroes are an empty table.
  static_assert(std::is_trivial_v<Line> && sizeof(Line) == alignof(Line));
}

Shard::~Shard() {
  Departed departed;
  while (!recent_.empty()) Remove(Entry::OfRecent(recent_.next), &departed);
}

SpaceState* Shard::FindSpace(Space id) const {
  size_t slot = SpaceSlot(id);
  SpaceState* space = slot < spaces_.size() ? spaces_[slot] : nullptr;
  return space != nullptr && space->id == id ? space : nullptr;
}

void Shard::SetSpace(size_t slot, SpaceState* space) {
  if (slot >= spaces_.size()) spaces_.resize(slot + 1);
  spaces_[slot] = space;
}

void Shard::DropSpace(size_t slot) {
  SpaceInShard& mine = part(spaces_[slot]);
  stats_.erased += mine.stats.entries;
  garbage_.TakeAll(&mine.peers);
  spaces_[slot] = nullptr;
}

Entry* Shard::Find(SpaceState* space, uint64_t bucket_hash, const PredictionCache::Key& key) {
  const Bucket& bucket = BucketOf(bucket_hash);
  if (!bucket.MayHold(key.hash)) return nullptr;
  Entry* entry = bucket.first();
  while (entry != nullptr &&
         (entry->hash != key.hash || entry->space != space || entry->key() != key.bytes)) {
    entry = entry->chain;
  }
  return entry;
}

void Shard::Touch(Entry* entry) {
  if (recent_.next != &entry->recent) {
    Link::Detach(&entry->recent);
    recent_.PushFront(&entry->recent);
  }
  Link& peers = part(entry->space).peers;
  if (peers.next != &entry->peers) {
    Link::Detach(&entry->peers);
    peers.PushFront(&entry->peers);
  }
  if (admission_ != nullptr) admission_->OnUse(entry, stats_.entries);
}

Entry* Shard::VictimFor(SpaceState* space, size_t charge) {
  if (space->OverQuota(charge)) {
    Link& peers = part(space).peers;
    return peers.empty() ? nullptr : Entry::OfPeers(peers.previous);
  }
  if (!budget_->Over(charge) || !garbage_.empty()) return nullptr;
  return recent_.empty() ? nullptr : Entry::OfRecent(recent_.previous);
}

bool Shard::Admit(SpaceState* space, uint64_t bucket_hash, uint64_t hash, size_t charge,
                  const Clock& clock, bool* fresh) {
  *fresh = true;
  if (admission_ == nullptr) return true;
  const Entry* victim = VictimFor(space, charge);
  if (victim == nullptr || (victim->expires != kNever && victim->expires <= clock.Now())) {
    admission_->OnRoom();
    return true;
  }
  const Admission::Verdict verdict =
      admission_->Weigh(hash, &LineOf(bucket_hash).seen, *victim, stats_.entries);
  *fresh = verdict == Admission::Verdict::kFirstSight;
  if (verdict != Admission::Verdict::kRefused) return true;
  ++stats_.refused;
  ++part(space).stats.refused;
  return false;
}

void Shard::Add(Entry* entry, uint64_t bucket_hash) {
  entry->bucket_hash = bucket_hash;
  entry->used = admission_ != nullptr ? admission_->now() : 0;
  BucketOf(bucket_hash).Push(entry);
  SpaceInShard& mine = part(entry->space);
  recent_.PushFront(&entry->recent);
  mine.peers.PushFront(&entry->peers);

  size_t charge = ChargeOf(*entry);
  for (CacheStats* stats : {&stats_, &mine.stats}) {
    ++stats->inserts;
    ++stats->entries;
    stats->bytes += charge;
  }
  entry->space->bytes.fetch_add(charge, std::memory_order_relaxed);
  budget_->used.fetch_add(charge, std::memory_order_relaxed);
}

void Shard::Remove(Entry* entry, Departed* departed) {
  BucketOf(entry->bucket_hash).Remove(entry);
  Link::Detach(&entry->recent);
  Link::Detach(&entry->peers);

  size_t charge = ChargeOf(*entry);
  for (CacheStats* stats : {&stats_, &part(entry->space).stats}) {
    --stats->entries;
    stats->bytes -= charge;
  }
  entry->space->bytes.fetch_sub(charge, std::memory_order_relaxed);
  budget_->used.fetch_sub(charge, std::memory_order_relaxed);
  departed->Add(entry);
}

bool Shard::MakeRoom(SpaceState* space, const Entry* keep, Departed* departed) {
  while (space->OverQuota()) {
    Link& peers = part(space).peers;
    if (peers.empty() || Entry::OfPeers(peers.previous) == keep) break;
    Evict(Entry::OfPeers(peers.previous), departed);
  }
  while (budget_->Over()) {
    if (Reclaim(1, departed) == 1) continue;
    if (recent_.empty() || Entry::OfRecent(recent_.previous) == keep) break;
    Evict(Entry::OfRecent(recent_.previous), departed);
  }
  return !space->OverQuota() && !budget_->Over();
}

void Shard::Evict(Entry* entry, Departed* departed) {
  // In a full cache every insert evicts, and what it evicts has long left the processor's caches:
  // ask now for what the next two evictions will touch.
  Link* next = entry->recent.previous;
  if (next != &recent_) {
    __builtin_prefetch(&BucketOf(Entry::OfRecent(next)->bucket_hash), 1);
    __builtin_prefetch(next->previous, 1);
  }
  ++stats_.evictions;
  ++part(entry->space).stats.evictions;
  Remove(entry, departed);
}

size_t Shard::Reclaim(size_t max_entries, Departed* departed) {
  size_t freed = 0;
  for (; freed < max_entries && !garbage_.empty(); ++freed) {
    Remove(Entry::OfPeers(garbage_.previous), departed);
  }
  return freed;
}

}  // namespace skysail::cache
