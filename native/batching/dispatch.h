// When a replica takes a batch, how large that may be, and who would be too late for it: the decisions
// for one queue. The batcher carries them out, and so does the replay, on a clock that is stepped.
//
// A pure state machine: no clock, no thread; it owns neither the queue nor the replicas' paces.
#ifndef SKYSAIL_BATCHING_DISPATCH_H_
#define SKYSAIL_BATCHING_DISPATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "batching/batch_queue.h"
#include "batching/pace.h"
#include "batching/spacing.h"
#include "batching/wait_ahead.h"

namespace skysail::batching {

// What is wanted of the batches of one version.
struct Terms {
  TimeNs objective = kSecond;  // by when an answer is owed
  int64_t max_rows = 1024;     // >= 1; 1: requests are never stacked
  bool shared = false;         // several lanes had calls of late
  bool delay = true;           // batches may be kept back where that pays

  // What a batch may take.
  TimeNs BatchObjective() const;
  // What is kept back of a deadline for the answer's way to the caller.
  TimeNs AnswerAllowance() const;
  int64_t LimitOf(const Pace& pace) const;
};

// The replicas in their order; null for one that is out of rotation.
using Paces = std::vector<Pace*>;

class Dispatch {
 public:
  // Before the rows are put into `queue`.
  void OnArrival(int64_t rows, TimeNs now, const Paces& paces, const BatchQueue& queue);
  // The queue or what is in flight has changed, other than by an arrival. Choose need not be told.
  void OnChange(const Paces& paces, const BatchQueue& queue, TimeNs now);

  static constexpr size_t kNobody = SIZE_MAX;
  struct Next {
    size_t replica = kNobody;
    TimeNs wake_at = kNever;  // when asking again may give another answer; where it is kNobody
  };
  // Who takes a batch of `queue`, which is not empty, now. Free replicas take turns, but for one that
  // gathers returning callers, and for all while batches are spaced; else the first one whose staged batch
  // should be sealed now, unless the callers of the running one are worth waiting for. O(replicas).
  Next Choose(const Paces& paces, const BatchQueue& queue, const Terms& terms, TimeNs now);

  // From now until the next batch of `pace` is answered: whose deadline is sooner is not served by it.
  static TimeNs Needed(const Pace& pace, const BatchQueue& queue, const Terms& terms, TimeNs now);
  // Whether a batch of `rows` rows says something about larger ones, `waiting` rows having waited.
  static bool Full(int64_t rows, int64_t waiting, int64_t limit) {
    return rows >= limit || (waiting > limit && 2 * rows > limit);
  }
  // Until `entry`, which is not queued yet, would be answered, if it has `left` for that; 0 while
  // nothing was learned or a replica is free for it. O(replicas + lanes).
  TimeNs WaitAhead(const QueueEntry& entry, TimeNs left, const Paces& paces, const BatchQueue& queue,
                   const Terms& terms, TimeNs now) const;

 private:
  // Until when a batch of `pace` is kept back, so that it carries more; 0: it is not.
  TimeNs SpacedUntil(const Pace& pace, const BatchQueue& queue, const Terms& terms) const;

  ArrivalRate arrivals_;
  Spacing spacing_;
  size_t turn_ = 0;  // whose it is
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_DISPATCH_H_
