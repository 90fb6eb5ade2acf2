#include "batching/latency_line.h"

#include <algorithm>

namespace skysail::batching {
namespace {

constexpr double kForget = 0.95;         // a batch's weight halves about every 14 batches
constexpr double kOutlierFactor = 4;     // off the line by this factor or more
constexpr int kOutliersForChange = 3;    // in a row
constexpr double kLeastVariance = 0.25;  // of rows, below which a slope would be noise

}  // namespace

void LatencyLine::Observe(int64_t rows, TimeNs latency) {
  if (rows < 1 || latency < 0) return;
  double n = static_cast<double>(rows);
  double sample = static_cast<double>(latency);
  double expected = Predict(n);
  if (weight_ > 0 && sample > expected * kOutlierFactor) {
    outliers_ = std::max(outliers_, 0) + 1;
  } else if (weight_ > 0 && sample < expected / kOutlierFactor) {
    outliers_ = std::min(outliers_, 0) - 1;
  } else {
    outliers_ = 0;
  }
  if (outliers_ >= kOutliersForChange || outliers_ <= -kOutliersForChange) {
    *this = LatencyLine();
  } else if (outliers_ != 0) {
    sample = std::clamp(sample, expected / kOutlierFactor, expected * kOutlierFactor);
  }
  Fit(n, sample);
}

void LatencyLine::Fit(double rows, double latency) {
  weight_ = weight_ * kForget + 1;
  double off_rows = rows - mean_rows_;
  double off_latency = latency - mean_latency_;
  mean_rows_ += off_rows / weight_;
  mean_latency_ += off_latency / weight_;
  covariance_ = covariance_ * kForget + off_rows * (latency - mean_latency_);
  variance_ = variance_ * kForget + off_rows * (rows - mean_rows_);
  if (variance_ >= kLeastVariance) slope_ = std::max(covariance_ / variance_, 0.0);
  // The line does not pass below zero at no rows: a slope steeper than that is noise.
  slope_ = std::min(slope_, mean_latency_ / mean_rows_);
}

double LatencyLine::Predict(double rows) const {
  return mean_latency_ + slope_ * (rows - mean_rows_);
}

TimeNs LatencyLine::Estimate(int64_t rows) const {
  if (weight_ == 0) return 0;
  return static_cast<TimeNs>(Predict(static_cast<double>(std::max<int64_t>(rows, 1))));
}

}  // namespace skysail::batching
