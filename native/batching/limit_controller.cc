#include "batching/limit_controller.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace skysail::batching {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();
constexpr TimeNs kMostCuts = 4;
// Each try of a size that failed before may cost the calls of two batches their objective.
constexpr int64_t kLeastPatience = 512;
constexpr int64_t kMostPatience = 4096;
constexpr double kPartAdded = 1.0 / 32;

}  // namespace

LimitController::LimitController(LimitOptions options)
    : options_(options),
      limit_(static_cast<double>(std::min(options.initial_rows, options.max_rows))),
      ceiling_(kNone), patience_(kLeastPatience) {}

int64_t LimitController::limit() const {
  const auto limit = static_cast<int64_t>(limit_);
  return probe_ > 0 ? std::min(probe_, limit) : limit;
}

void LimitController::SetMaxRows(int64_t max_rows) {
  options_.max_rows = max_rows;
  limit_ = std::min(limit_, static_cast<double>(max_rows));
}

void LimitController::Observe(int64_t rows, TimeNs latency, TimeNs objective, bool full) {
  if (rows < 1) return;
  line_.Observe(rows, latency);
  if (rates_.Observe(rows, latency) != RateTable::Change::kNone) Forget();
  const auto n = static_cast<double>(rows);
  if (rows <= probe_) probe_ = 0;
  if (latency > objective) {
    Cut(full ? n : kNone, latency, objective);
    return;
  }
  if (!full || 2 * n <= limit_) {  // sent long ago, or tried, under a much smaller limit
    if (full && latency <= objective / 2) Grow(n, true);
    return;
  }
  const int64_t better = std::min(rates_.BetterThan(rows, objective), options_.max_rows);
  if (better < rows) {
    limit_ = static_cast<double>(better);
    ceiling_ = limit_ + 1;
    held_ = 0;
  } else {
    Grow(n, latency <= objective / 2);
  }
  const int64_t smaller = limit() / 2;
  if (smaller >= 1 && limit_ + 1 >= ceiling_ && !rates_.Knows(smaller)) probe_ = smaller;
}

void LimitController::Grow(double rows, bool with_room) {
  if (rows >= ceiling_) {  // it failed before, and is in time now
    Forget();
  } else if (ceiling_ != kNone && ++held_ == patience_) {
    patience_ = std::min(2 * patience_, kMostPatience);
    limit_ = ceiling_;
    held_ = 0;
  } else if (with_room && 2 * rows < ceiling_) {
    limit_ = std::max(limit_, 2 * rows);
  } else if (2 * rows > limit_) {
    const double added = std::max(options_.increase, rows * kPartAdded);
    limit_ = std::max(limit_, std::min(limit_ + added, ceiling_ - 1));
  }
  limit_ = std::min(limit_, static_cast<double>(options_.max_rows));
}

void LimitController::Cut(double rows, TimeNs latency, TimeNs objective) {
  if (rows != kNone) {
    held_ = 0;
    if (rows >= ceiling_) {  // nothing new: it was tried again, or sent before the first one's end
      limit_ = std::min(limit_, ceiling_ - 1);
      return;
    }
    ceiling_ = std::max(rows, 2.0);
  }
  const TimeNs objectives = objective > 0 ? std::min(latency / objective, kMostCuts) : kMostCuts;
  limit_ = std::max(limit_ * std::pow(options_.decrease, static_cast<double>(objectives)), 1.0);
}

// The model's speed has changed, or what was taken for its limit was none.
void LimitController::Forget() {
  ceiling_ = kNone;
  held_ = 0;
  patience_ = kLeastPatience;
  probe_ = 0;
}

}  // namespace skysail::batching
