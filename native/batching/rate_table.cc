#include "batching/rate_table.h"

#include <algorithm>
#include <cmath>

namespace skysail::batching {
namespace {

constexpr double kGain = 0.2;      // weight of the newest batch
// Off its class by this factor or more, in rate and in latency: sizes of one class differ in one of them.
constexpr double kOff = 1.45;
constexpr int kOffForChange = 3;   // in a row
constexpr int64_t kPartAlike = 16;  // sizes that differ by no more than this part are taken for one
constexpr double kClearly = 1.1;   // less may be noise, and is not worth a change
constexpr int kEnough = 2;         // batches of a size, before anything follows from its rate

}  // namespace

size_t RateTable::ClassOf(int64_t rows) {
  const double halves = std::floor(2 * std::log2(static_cast<double>(std::max<int64_t>(rows, 1))));
  return std::min(static_cast<size_t>(halves), kClasses - 1);
}

RateTable::Change RateTable::Observe(int64_t rows, TimeNs latency) {
  const auto took = static_cast<double>(std::max<TimeNs>(latency, 1));
  const double rate = static_cast<double>(rows) / took;
  Class* seen = &classes_[ClassOf(rows)];
  Change change = Change::kNone;
  if (seen->rows > 0) {
    if (rate * kOff < seen->rate && took > seen->latency * kOff) {
      off_ = std::max(off_, 0) + 1;
    } else if (rate > seen->rate * kOff && took * kOff < seen->latency) {
      off_ = std::min(off_, 0) - 1;
    } else {
      off_ = 0;
    }
    if (std::abs(off_) >= kOffForChange) {
      change = off_ > 0 ? Change::kSlower : Change::kFaster;
      *this = RateTable();
    } else if (off_ != 0) {
      return change;  // a pause, perhaps
    }
  }
  if (seen->rows > 0 && std::abs(rows - seen->rows) <= seen->rows / kPartAlike) {
    seen->rate += kGain * (rate - seen->rate);
    seen->latency += kGain * (took - seen->latency);
    ++seen->batches;
  } else if (rate > seen->rate * kClearly) {
    *seen = {rows, rate, took, 1};
  }
  return change;
}

int64_t RateTable::BetterThan(int64_t rows, TimeNs objective) const {
  const size_t own = ClassOf(rows);
  const Class* best = &classes_[own];
  if (best->batches < kEnough) return rows;
  for (size_t i = 0; i < own; ++i) {
    const Class& other = classes_[i];
    if (other.batches < kEnough) continue;
    if (other.rate <= best->rate * (best == &classes_[own] ? kClearly : 1)) continue;
    if (other.latency <= static_cast<double>(objective)) best = &other;
  }
  return best == &classes_[own] ? rows : best->rows;
}

}  // namespace skysail::batching
