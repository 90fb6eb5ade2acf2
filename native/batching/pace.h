// What one replica has in flight, how long that takes, and what was learned of it.
//
// A replica computes one batch and has at most one more staged, so that it need not wait for the
// next. What is staged can no longer grow, so it is sealed as late as possible: when a full batch waits,
// or when the running one is about to end, going by what was learned.
//
// A pure state machine: no clock, no thread. The batcher's replicas and the replay both keep one.
#ifndef SKYSAIL_BATCHING_PACE_H_
#define SKYSAIL_BATCHING_PACE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "batching/gathering.h"
#include "batching/limit_controller.h"

namespace skysail::batching {

class Pace {
 public:
  explicit Pace(LimitOptions limits) : controller_(limits) {}

  const LimitController& controller() const { return controller_; }
  void SetMaxRows(int64_t max_rows) { controller_.SetMaxRows(max_rows); }
  size_t in_flight() const { return in_flight_.size(); }
  bool idle() const { return in_flight_.empty(); }
  int64_t rows_in_flight() const;

  // Rows were put into the queue that this replica serves.
  void OnArrival(int64_t rows, TimeNs now) { gathering_.OnArrival(rows, now); }
  // A batch goes out behind those in flight. `full`: as large as the limit allowed.
  void Sent(int64_t rows, bool full, TimeNs now);
  struct Ran {
    int64_t rows;
    bool full;
    TimeNs took;  // by the model: what was staged ran from the end of the one before
  };
  // The `at`-th of those in flight has ended, however. Requires at < in_flight().
  Ran Ended(size_t at, TimeNs now);
  // Learns from a batch that has just ended. `late`: given up rather than answered. `objective` is what
  // a batch may take; `waiting` rows wait now, of which `limit` fit a batch.
  void Learn(const Ran& ran, bool late, TimeNs now, TimeNs objective, int64_t waiting, int64_t limit);

  // When a less than full batch behind the one in flight should be sent at last. Requires one batch
  // in flight.
  TimeNs SealAt() const;
  // When the last batch in flight is expected to end; now when idle.
  TimeNs FreeAt(TimeNs now) const;
  // By how much a batch of `rows` rows may take longer than its estimate.
  TimeNs Margin(int64_t rows) const;
  // When the batch that runs is so late that the model must be taken for hung; kNever when none runs.
  // `objective` as above.
  TimeNs OverdueAt(TimeNs objective) const;

  // Whether it should stay free a moment longer for callers that come back, `waiting` rows being there,
  // and until when at most.
  bool Holding(int64_t waiting, TimeNs now) const { return gathering_.Hold(waiting, now); }
  TimeNs hold_until() const { return gathering_.until(); }
  // Whether those whom the batch in flight will answer are worth waiting for before another batch is
  // sent. Requires a batch in flight.
  bool WorthGathering(int64_t waiting, int64_t limit, TimeNs objective) const;

 private:
  struct Flight {
    int64_t rows;
    bool full;
    TimeNs sent;
  };

  LimitController controller_;
  Gathering gathering_;
  std::vector<Flight> in_flight_;  // running, staged
  TimeNs running_since_ = 0;  // since when the first of them has the replica to itself
  double surprise_ns_ = 0;    // mean absolute error of recent estimates
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_PACE_H_
