#include "batching/limit_controller.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skysail::batching {
namespace {

constexpr double kNoMiss = std::numeric_limits<double>::infinity();
constexpr TimeNs kMostCuts = 4;

}  // namespace

LimitController::LimitController(LimitOptions options)
    : options_(options),
      limit_(static_cast<double>(std::min(options.initial_rows, options.max_rows))),
      smallest_miss_(kNoMiss) {}

int64_t LimitController::limit() const { return static_cast<int64_t>(limit_); }

void LimitController::SetMaxRows(int64_t max_rows) {
  options_.max_rows = max_rows;
  limit_ = std::min(limit_, static_cast<double>(max_rows));
}

void LimitController::Observe(int64_t rows, TimeNs latency, TimeNs objective, bool full) {
  if (rows < 1) return;
  line_.Observe(rows, latency);
  double n = static_cast<double>(rows);
  if (latency > objective) {
    if (full) smallest_miss_ = n;
    Cut(latency, objective);
  } else if (full) {
    // A batch of a size that once missed is in time again: the model has become faster.
    if (n >= smallest_miss_) smallest_miss_ = kNoMiss;
    Grow(n, latency <= objective / 2);
  }
}

void LimitController::Grow(double rows, bool with_room) {
  if (with_room && 2 * rows < smallest_miss_) {
    limit_ = std::max(limit_, 2 * rows);
  } else if (2 * rows > limit_) {  // else it was sent long ago, under a much smaller limit
    limit_ += options_.increase;
  }
  limit_ = std::min(limit_, static_cast<double>(options_.max_rows));
}

void LimitController::Cut(TimeNs latency, TimeNs objective) {
  TimeNs objectives = objective > 0 ? std::min(latency / objective, kMostCuts) : kMostCuts;
  limit_ = std::max(limit_ * std::pow(options_.decrease, static_cast<double>(objectives)), 1.0);
}

}  // namespace skysail::batching
