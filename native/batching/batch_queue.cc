#include "batching/batch_queue.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace skysail::batching {

struct EntryOrder {
  static bool Before(const QueueEntry* a, const QueueEntry* b) {
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence_ < b->sequence_;
  }
  static size_t& Slot(QueueEntry* entry) { return entry->slot_; }
};

// The entries that may share a batch.
struct QueueGroup {
  explicit QueueGroup(std::string_view text) : text(text) {}

  void Add(QueueEntry* entry) {
    entry->group_ = this;
    entry->older_ = youngest;
    entry->younger_ = nullptr;
    (youngest != nullptr ? youngest->younger_ : oldest) = entry;
    youngest = entry;
    rows += entry->rows;
    entries.Push(entry);
  }
  void Remove(QueueEntry* entry) {
    entries.Remove(entry);
    rows -= entry->rows;
    (entry->older_ != nullptr ? entry->older_->younger_ : oldest) = entry->younger_;
    (entry->younger_ != nullptr ? entry->younger_->older_ : youngest) = entry->older_;
    entry->group_ = nullptr;
    entry->older_ = entry->younger_ = nullptr;
  }

  const std::string text;
  SlotHeap<QueueEntry, EntryOrder> entries;
  QueueEntry* oldest = nullptr;
  QueueEntry* youngest = nullptr;
  int64_t rows = 0;
  size_t slot = kNoSlot;       // among the groups; none while the group is empty
  size_t idle_slot = kNoSlot;  // among the empty groups that are kept
};

namespace {

struct GroupOrder {
  static bool Before(const QueueGroup* a, const QueueGroup* b) {
    return EntryOrder::Before(a->entries.top(), b->entries.top());
  }
  static size_t& Slot(QueueGroup* group) { return group->slot; }
};

}  // namespace

struct BatchQueue::Impl {
  explicit Impl(QueueOptions options) : options(options) {}

  QueueGroup* GroupOf(std::string_view text) {
    auto found = by_text.find(text);
    if (found != by_text.end()) return found->second.get();
    auto group = std::make_unique<QueueGroup>(text);
    QueueGroup* raw = group.get();
    by_text.emplace(raw->text, std::move(group));
    return raw;
  }

  // A group that has become empty is kept for a while: requests of one kind tend to come again.
  void Retire(QueueGroup* group) {
    QueueGroup*& place = idle[next_idle];
    if (place != nullptr) by_text.erase(place->text);
    place = group;
    group->idle_slot = next_idle;
    next_idle = (next_idle + 1) % idle.size();
  }

  void Add(QueueEntry* entry, std::string_view text) {
    QueueGroup* group = GroupOf(text);
    if (group->idle_slot != kNoSlot) {
      idle[group->idle_slot] = nullptr;
      group->idle_slot = kNoSlot;
    }
    entry->sequence_ = ++sequence;
    group->Add(entry);
    if (group->slot == kNoSlot) {
      groups.Push(group);
    } else {
      groups.Update(group);
    }
    ++count;
    rows += entry->rows;
  }

  void Remove(QueueEntry* entry) {
    QueueGroup* group = entry->group_;
    --count;
    rows -= entry->rows;
    if (group->entries.size() == 1) groups.Remove(group);
    group->Remove(entry);
    if (group->entries.empty()) {
      Retire(group);
    } else {
      groups.Update(group);
    }
  }

  // Requires count > 0.
  QueueEntry* First() const { return groups.top()->entries.top(); }

  const QueueOptions options;
  // Keys view the groups' own texts.
  std::unordered_map<std::string_view, std::unique_ptr<QueueGroup>> by_text;
  SlotHeap<QueueGroup, GroupOrder> groups;  // those with entries
  std::array<QueueGroup*, 16> idle{};
  size_t next_idle = 0;
  uint64_t sequence = 0;
  size_t count = 0;
  int64_t rows = 0;
};

BatchQueue::BatchQueue(QueueOptions options) : impl_(std::make_unique<Impl>(options)) {}

BatchQueue::~BatchQueue() {
  while (!empty()) impl_->Remove(impl_->First());
}

bool BatchQueue::Push(QueueEntry* entry, std::string_view group) {
  if (impl_->count >= impl_->options.max_entries ||
      entry->rows > impl_->options.max_rows - impl_->rows) {
    return false;
  }
  impl_->Add(entry, group);
  return true;
}

void BatchQueue::Remove(QueueEntry* entry) { impl_->Remove(entry); }

void BatchQueue::Take(int64_t limit, TimeNs now, TimeNs needed, std::vector<QueueEntry*>* batch,
                      std::vector<QueueEntry*>* expired) {
  while (!empty() && impl_->First()->deadline < now + needed) {
    expired->push_back(impl_->First());
    impl_->Remove(expired->back());
  }
  if (empty()) return;
  QueueGroup* group = impl_->groups.top();
  int64_t taken = 0;
  do {
    QueueEntry* entry = group->entries.top();
    if (taken > 0 && taken + entry->rows > limit) break;
    taken += entry->rows;
    batch->push_back(entry);
    impl_->Remove(entry);
  } while (!group->entries.empty());
}

void BatchQueue::TakeExpired(TimeNs now, std::vector<QueueEntry*>* expired) {
  while (!empty() && impl_->First()->deadline <= now) {
    expired->push_back(impl_->First());
    impl_->Remove(expired->back());
  }
}

TimeNs BatchQueue::NextDeadline() const { return empty() ? kNever : impl_->First()->deadline; }

TimeNs BatchQueue::OldestEnqueued() const {
  return empty() ? kNever : impl_->groups.top()->oldest->enqueued;
}

int64_t BatchQueue::NextBatchRows(int64_t limit) const {
  if (empty()) return 0;
  const QueueGroup& group = *impl_->groups.top();
  const auto& heap = group.entries;
  if (group.rows <= limit) return group.rows;
  if (group.rows == static_cast<int64_t>(heap.size())) return std::max<int64_t>(limit, 1);
  // Walks the heap in order of deadline: the next entry is always a child of one already seen.
  auto later = [&heap](size_t a, size_t b) { return EntryOrder::Before(heap.at(b), heap.at(a)); };
  std::vector<size_t> frontier{0};
  int64_t taken = 0;
  while (!frontier.empty()) {
    std::pop_heap(frontier.begin(), frontier.end(), later);
    size_t slot = frontier.back();
    frontier.pop_back();
    int64_t rows = heap.at(slot)->rows;
    if (taken > 0 && taken + rows > limit) break;
    taken += rows;
    for (size_t child : {2 * slot + 1, 2 * slot + 2}) {
      if (child >= heap.size()) continue;
      frontier.push_back(child);
      std::push_heap(frontier.begin(), frontier.end(), later);
    }
  }
  return taken;
}

size_t BatchQueue::entries() const { return impl_->count; }
int64_t BatchQueue::rows() const { return impl_->rows; }

}  // namespace skysail::batching
