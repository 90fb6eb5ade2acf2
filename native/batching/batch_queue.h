// The queue of one (model, version): earliest deadline first, bounded, grouped so that only
// requests that may share a batch are taken together. Single-threaded: whoever owns it guards it.
#ifndef SKYSAIL_BATCHING_BATCH_QUEUE_H_
#define SKYSAIL_BATCHING_BATCH_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "batching/slot_heap.h"

namespace skysail::batching {

struct QueueGroup;

// What the queue knows of an entry. Embed it (inherit) in the thing that waits; the queue does not
// own entries, and an entry is in at most one queue. The first three fields do not change while it
// is queued. Removal is O(log n), so a caller that leaves takes only itself.
class QueueEntry {
 public:
  TimeNs deadline = kNever;
  TimeNs enqueued = 0;
  int64_t rows = 1;  // >= 1
  bool queued() const { return slot_ != kNoSlot; }

 protected:
  ~QueueEntry() = default;

 private:
  friend class BatchQueue;
  friend struct QueueGroup;
  friend struct EntryOrder;
  size_t slot_ = kNoSlot;
  QueueGroup* group_ = nullptr;
  uint64_t sequence_ = 0;        // first come, first served among equal deadlines
  QueueEntry* older_ = nullptr;  // of the group, in order of arrival
  QueueEntry* younger_ = nullptr;
};

struct QueueOptions {
  size_t max_entries = 65536;  // Push refuses beyond
  int64_t max_rows = 1 << 20;
};

class BatchQueue {
 public:
  explicit BatchQueue(QueueOptions options);
  ~BatchQueue();

  // False when the queue is full. Entries of different `group` texts never share a batch.
  bool Push(QueueEntry* entry, std::string_view group);
  void Remove(QueueEntry* entry);  // requires entry->queued()

  // Takes the next batch: the group whose first deadline is earliest, its entries in order of
  // deadline while their rows fit `limit`. An entry with more rows than `limit` goes alone. Entries
  // never split. Entries of any group whose deadline is before `now` + `needed` are put into
  // `expired` instead, so the batch is empty only when the queue is. Appends to both. O(log n) per
  // entry taken.
  void Take(int64_t limit, TimeNs now, TimeNs needed, std::vector<QueueEntry*>* batch,
            std::vector<QueueEntry*>* expired);
  // All entries of every group with a deadline at or before `now`.
  void TakeExpired(TimeNs now, std::vector<QueueEntry*>* expired);
  TimeNs NextDeadline() const;    // kNever when empty
  TimeNs OldestEnqueued() const;  // of the group that Take would serve; kNever when empty
  // Rows that Take(limit) would give now if nothing expired. O(1) when all entries of the group
  // have one row or all of them fit, O(limit log limit) else.
  int64_t NextBatchRows(int64_t limit) const;

  size_t entries() const;
  int64_t rows() const;
  bool empty() const { return entries() == 0; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_BATCH_QUEUE_H_
