// How many rows a batch may have: additive increase, multiplicative decrease on the batch's latency.
//
// A pure state machine of (rows, latency, objective): no clock, no thread, no randomness. One per
// replica. Starts small; grows only after a *full* batch finished inside its objective (a small batch
// says nothing about a large one), faster at first (doubling until the first miss), then by a step;
// is cut by 10% when a batch misses. Source: the AIMD rule of Clipper (NSDI'17, section 4.3), with the start-up
// phase of TCP's slow start.
#ifndef SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_
#define SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_

#include <cstdint>

#include "base/clock.h"

namespace skysail::batching {

struct LimitOptions {
  int64_t initial_rows = 4;   // the first limit; the first requests of a fresh server are answered
  int64_t max_rows = 1024;    // never passed
  double increase = 2;        // rows added after a full batch inside the objective, once past start-up
  double decrease = 0.9;      // factor after a batch that missed its objective
};

class LimitController {
 public:
  explicit LimitController(LimitOptions options);
  // A batch of `rows` rows took `latency`, and was owed within `objective`. `full` says that it was
  // as large as the limit then in force allowed (more rows were waiting, or it met the limit).
  void Observe(int64_t rows, TimeNs latency, TimeNs objective, bool full);
  int64_t limit() const;      // in [1, max_rows]

  // What was learned about the latency of a batch of `rows` rows (robust running estimate); 0 while
  // nothing is known.
  TimeNs Estimate(int64_t rows) const;

 private:
  LimitOptions options_;
  double limit_;
  bool starting_ = true;
  // Running least-squares line latency = base + slope * rows over recent batches.
  double weight_ = 0, mean_rows_ = 0, mean_latency_ = 0, cov_ = 0, var_ = 0;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_LIMIT_CONTROLLER_H_
