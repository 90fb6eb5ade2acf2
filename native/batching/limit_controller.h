// How many rows a batch may have: additive increase, multiplicative decrease on the batch's
// latency.
//
// A pure state machine of (rows, latency, objective): no clock, no thread, no randomness. One per
// replica. Starts small; grows only after a *full* batch finished inside its objective (a small
// batch says nothing about a large one); is cut by 10% when a batch misses, and by as many times
// 10% as it took objectives, at most four. Doubles instead of stepping while a full batch takes
// less than half its objective and twice its size is below the smallest full batch that missed: at
// the start, and again when a model has become faster. A size that missed, or that brought fewer rows in
// its time than a smaller one, is not gone back to until many batches later, or until the model's speed
// has changed; where smaller batches were never seen, one is tried. Source: the AIMD rule of Clipper
// (NSDI'17, section 4.3), with TCP's slow start and its threshold.
#ifndef SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_
#define SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_

#include <cstdint>

#include "base/clock.h"
#include "batching/latency_line.h"
#include "batching/rate_table.h"

namespace skysail::batching {

struct LimitOptions {
  int64_t initial_rows = 4;  // the first limit; the first requests of a fresh server are answered
  int64_t max_rows = 1024;   // never passed
  double increase = 2;    // rows added after a full batch inside the objective, when not doubling
                          // (a 32nd of the batch where that is more)
  double decrease = 0.9;  // factor after a batch that missed its objective
};

class LimitController {
 public:
  // Requires initial_rows >= 1, max_rows >= 1, increase > 0 and 0 < decrease < 1.
  explicit LimitController(LimitOptions options);
  // A batch of `rows` rows took `latency`, and was owed within `objective`. `full` says that it was
  // as large as the limit then in force allowed (more rows were waiting, or it met the limit).
  void Observe(int64_t rows, TimeNs latency, TimeNs objective, bool full);
  int64_t limit() const;  // in [1, max_rows]
  // Another bound (>= 1); what was learned stays.
  void SetMaxRows(int64_t max_rows);

  // What was learned about the latency of a batch of `rows` rows (robust running estimate); 0 while
  // nothing is known.
  TimeNs Estimate(int64_t rows) const { return line_.Estimate(rows); }

 private:
  void Grow(double rows, bool with_room);
  void Cut(double rows, TimeNs latency, TimeNs objective);
  void Forget();

  LimitOptions options_;
  double limit_;
  double ceiling_;       // the limit stays below; infinity when no size is known to be too large
  int64_t held_ = 0;     // full batches in time since the ceiling was set
  int64_t patience_;     // of them, until a size at the ceiling is tried again
  int64_t probe_ = 0;    // rows of a smaller batch that is to be tried; 0: none
  RateTable rates_;
  LatencyLine line_;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_
