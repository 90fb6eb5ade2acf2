// What the cache keeps for one key: bookkeeping, key and value in one shared block, so that an
// insert is one allocation, and a value that was handed out outlives its eviction.
#ifndef SKYSAIL_CACHE_ENTRY_H_
#define SKYSAIL_CACHE_ENTRY_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/slice.h"

namespace skysail::cache {

struct SpaceState;

// A place in a circular doubly linked list; alone, it is an empty list.
struct Link {
  Link* previous = this;
  Link* next = this;

  bool empty() const { return next == this; }
  void PushFront(Link* link) {
    link->previous = this;
    link->next = next;
    next->previous = link;
    next = link;
  }
  static void Detach(Link* link) {
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = link;
  }
  // Moves all of `other` to the back of this list. O(1).
  void TakeAll(Link* other) {
    if (other->empty()) return;
    previous->next = other->next;
    other->next->previous = previous;
    other->previous->next = this;
    previous = other->previous;
    other->previous = other->next = other;
  }
};

// Guarded by its shard's lock, except that the key and the value never change.
struct Entry {
  Link recent;   // in the shard's list; first, so that a Link* there is the Entry's own address
  Link peers;    // in the shard's list of the entry's space, or of the erased spaces
  Entry* chain;  // next in the hash bucket
  SpaceState* space;  // counted: kept until its last entry has gone
  uint64_t hash;
  uint64_t bucket_hash;  // the bits of `hash` that choose the bucket
  TimeNs expires;        // kNever: no TTL
  // Latest use and way in; see admission.h.
  uint64_t used : 63;
  uint64_t fresh : 1;
  size_t key_size, value_size;

  static Entry* New(std::string_view key, std::string_view value) {
    Block* block = Block::New(sizeof(Entry) + key.size() + value.size());
    auto* entry = new (block->data()) Entry;
    entry->key_size = key.size();
    entry->value_size = value.size();
    if (!key.empty()) std::memcpy(entry->bytes(), key.data(), key.size());
    if (!value.empty()) std::memcpy(entry->bytes() + key.size(), value.data(), value.size());
    return entry;
  }
  void Unref() { block()->Unref(); }  // the cache's own reference

  std::string_view key() const { return {bytes(), key_size}; }
  Slice value() {
    block()->Ref();
    return Slice(block(), bytes() + key_size, value_size);
  }
  static Entry* OfRecent(Link* link) { return reinterpret_cast<Entry*>(link); }
  static Entry* OfPeers(Link* link) {
    return reinterpret_cast<Entry*>(reinterpret_cast<char*>(link) - offsetof(Entry, peers));
  }

 private:
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  Block* block() { return reinterpret_cast<Block*>(this) - 1; }
};

}  // namespace skysail::cache

#endif  // SKYSAIL_CACHE_ENTRY_H_
