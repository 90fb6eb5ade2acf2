// A binary heap of armed timers, earliest first. Each timer knows its slot, so that re-arming and
// disarming are O(log n) with no search. Not thread-safe.
#ifndef SKYSAIL_NET_TIMER_HEAP_H_
#define SKYSAIL_NET_TIMER_HEAP_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace skysail::net {

// `Item` has members `TimeNs at_` and `size_t slot_` that the heap may write.
template <typename Item>
class TimerHeap {
 public:
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  TimeNs earliest() const { return entries_.empty() ? kNever : entries_.front().at; }
  Item* front() const { return entries_.front().item; }

  void Insert(Item* item) {
    entries_.push_back({item->at_, item});
    SiftUp(entries_.size() - 1);
  }
  void Remove(Item* item) {
    const size_t hole = item->slot_;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    Place(hole, last);
    SiftUp(hole);
    SiftDown(last.item->slot_);
  }

 private:
  struct Entry {
    TimeNs at;  // beside the pointer, so that comparisons stay inside the array
    Item* item;
  };
  void Place(size_t slot, Entry entry) {
    entries_[slot] = entry;
    entry.item->slot_ = slot;
  }
  void SiftUp(size_t slot) {
    const Entry entry = entries_[slot];
    while (slot > 0) {
      const size_t parent = (slot - 1) / 2;
      if (entries_[parent].at <= entry.at) break;
      Place(slot, entries_[parent]);
      slot = parent;
    }
    Place(slot, entry);
  }
  void SiftDown(size_t slot) {
    const Entry entry = entries_[slot];
    for (;;) {
      size_t child = 2 * slot + 1;
      if (child >= entries_.size()) break;
      if (child + 1 < entries_.size() && entries_[child + 1].at < entries_[child].at) ++child;
      if (entry.at <= entries_[child].at) break;
      Place(slot, entries_[child]);
      slot = child;
    }
    Place(slot, entry);
  }

  std::vector<Entry> entries_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_TIMER_HEAP_H_
