// A binary heap of pointers whose items know their place in it, so that any item can be taken out
// or moved in O(log n). Does not own its items. kNoSlot is the place of an item that is in no heap.
#ifndef SKYSAIL_BATCHING_SLOT_HEAP_H_
#define SKYSAIL_BATCHING_SLOT_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skysail::batching {

inline constexpr size_t kNoSlot = SIZE_MAX;

// `Access` gives the heap an item's order and slot: static bool Before(const Item*, const Item*)
// and static size_t& Slot(Item*).
template <typename Item, typename Access>
class SlotHeap {
 public:
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  Item* top() const { return items_.front(); }  // requires !empty()
  Item* at(size_t slot) const { return items_[slot]; }

  void Push(Item* item) {
    items_.push_back(item);
    Place(items_.size() - 1, item);
    Update(item);
  }
  void Remove(Item* item) {
    size_t hole = Access::Slot(item);
    Item* last = items_.back();
    items_.pop_back();
    Access::Slot(item) = kNoSlot;
    if (last == item) return;
    Place(hole, last);
    Update(last);
  }
  // Restores the order after the item's key changed.
  void Update(Item* item) {
    size_t slot = Access::Slot(item);
    while (slot > 0 && Access::Before(item, items_[(slot - 1) / 2])) {
      Place(slot, items_[(slot - 1) / 2]);
      slot = (slot - 1) / 2;
    }
    for (;;) {
      size_t child = 2 * slot + 1;
      if (child >= items_.size()) break;
      if (child + 1 < items_.size() && Access::Before(items_[child + 1], items_[child])) ++child;
      if (!Access::Before(items_[child], item)) break;
      Place(slot, items_[child]);
      slot = child;
    }
    Place(slot, item);
  }

 private:
  void Place(size_t slot, Item* item) {
    items_[slot] = item;
    Access::Slot(item) = slot;
  }
  std::vector<Item*> items_;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_SLOT_HEAP_H_
