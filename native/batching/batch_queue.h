// The queue of one (model, version): bounded, grouped so that only requests that may share a batch are
// taken together. Single-threaded: whoever owns it guards it.
//
// Earliest deadline first within a lane, which is what one application has waiting in one class of
// priority; lanes share a batch by class and weight (fair_order.h). With one lane that is earliest
// deadline first, and a batch that has room for all that wait takes all, so lanes matter only where
// there is more to do than fits.
#ifndef SKYSAIL_BATCHING_BATCH_QUEUE_H_
#define SKYSAIL_BATCHING_BATCH_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "batching/fair_order.h"
#include "batching/slot_heap.h"

namespace skysail::batching {

struct QueueCell;
struct QueueLane;

// What the queue knows of an entry. Embed it (inherit) in the thing that waits; the queue does not
// own entries, and an entry is in at most one queue. The public fields do not change while it is
// queued. Removal is O(log n), so a caller that leaves takes only itself.
class QueueEntry {
 public:
  TimeNs deadline = kNever;
  TimeNs enqueued = 0;
  int64_t rows = 1;   // >= 1
  uint32_t lane = 0;  // of AddLane
  bool queued() const { return slot_ != kNoSlot; }

 protected:
  ~QueueEntry() = default;

 private:
  friend class BatchQueue;
  friend struct QueueCell;
  friend struct QueueLane;
  friend struct EntryOrder;
  size_t slot_ = kNoSlot;
  QueueCell* cell_ = nullptr;
  uint64_t sequence_ = 0;        // first come, first served among equal deadlines
  QueueEntry* older_ = nullptr;  // of the lane, in order of arrival
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

  // Another lane, without entries; lane 0 is there from the start, of normal priority and weight 1.
  uint32_t AddLane(Priority priority, double weight);
  void SetWeight(uint32_t lane, double weight);  // > 0

  // False when the queue is full. Entries of different `group` texts never share a batch.
  bool Push(QueueEntry* entry, std::string_view group);
  void Remove(QueueEntry* entry);  // requires entry->queued()

  // When `entry` is refused for want of room: the entry that should leave for it, the youngest of the
  // lane that holds the most by its weight; null when that is the entry's own, or would be with it.
  // So each lane has its share of the room whatever others send. O(lanes).
  QueueEntry* InTheWayOf(const QueueEntry& entry) const;

  // Takes the next batch: of the lane that is next the group with the earliest deadline, and then, lane
  // by lane in their order, that group's entries while their rows fit `limit`. An entry with more rows
  // than `limit` goes alone. Entries never split. Entries of any group whose deadline is before `now` +
  // `needed` are put into `expired` instead, so the batch is empty only when the queue is. Appends to
  // both. O(log n + lanes) per entry taken.
  void Take(int64_t limit, TimeNs now, TimeNs needed, std::vector<QueueEntry*>* batch,
            std::vector<QueueEntry*>* expired);
  // All entries of every group with a deadline at or before `now`.
  void TakeExpired(TimeNs now, std::vector<QueueEntry*>* expired);
  TimeNs NextDeadline() const;  // kNever when empty
  // Rows that Take(limit) would give now if nothing expired; where entries of several lanes and of
  // several rows share the batch, at most `limit` and perhaps fewer. O(lanes) when all entries of the
  // group have one row or all of them fit, O(limit log limit) else.
  int64_t NextBatchRows(int64_t limit) const;
  // Rows that wait in a lane, by its weight.
  double Backlog(uint32_t lane) const;
  // Rows that would be given out before `entry`, which is not queued yet, if no more came: of its own
  // lane all, or none where its deadline is the first; of the others what their class and weight let go
  // first. O(lanes).
  int64_t RowsBefore(const QueueEntry& entry) const;

  size_t entries() const;
  int64_t rows() const;
  bool empty() const { return entries() == 0; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_BATCH_QUEUE_H_
