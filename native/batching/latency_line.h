// What a batch of n rows takes: a line fitted to recent batches, base + slope * rows.
//
// Weighted least squares with exponential forgetting (West's recurrence). Robust: one batch far off
// the line counts as a multiple of what the line says; several in a row on the same side mean that
// the model's speed has changed, and what was learned before is dropped. A pure state machine.
#ifndef SKYSAIL_BATCHING_LATENCY_LINE_H_
#define SKYSAIL_BATCHING_LATENCY_LINE_H_

#include <cstdint>

#include "base/clock.h"

namespace skysail::batching {

class LatencyLine {
 public:
  void Observe(int64_t rows, TimeNs latency);
  // 0 while nothing is known. Flat until batches of different sizes were seen; never negative, and
  // never falling with rows.
  TimeNs Estimate(int64_t rows) const;

 private:
  void Fit(double rows, double latency);
  double Predict(double rows) const;

  double weight_ = 0, mean_rows_ = 0, mean_latency_ = 0, covariance_ = 0, variance_ = 0;
  double slope_ = 0;  // kept while all recent batches have one size
  int outliers_ = 0;  // in a row: > 0 slower than the line, < 0 faster
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_LATENCY_LINE_H_
