// At which sizes batches bring the most rows in their time.
//
// Sizes are kept in classes, two to a doubling, each with the mean rate of the size that has the best one.
// Several batches in a row far off what their class had mean that the model's speed has changed, and what
// was learned before is dropped. A pure state machine.
#ifndef SKYSAIL_BATCHING_RATE_TABLE_H_
#define SKYSAIL_BATCHING_RATE_TABLE_H_

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace skysail::batching {

class RateTable {
 public:
  enum class Change { kNone, kFaster, kSlower };
  // Requires rows >= 1. O(1).
  Change Observe(int64_t rows, TimeNs latency);
  // The size below the class of `rows` that brings clearly more than that class does, by batches within
  // `objective`; `rows` when there is none. O(classes).
  int64_t BetterThan(int64_t rows, TimeNs objective) const;
  // Whether batches of the class of `rows` were seen since the speed last changed.
  bool Knows(int64_t rows) const { return classes_[ClassOf(rows)].rows > 0; }

 private:
  static constexpr size_t kClasses = 64;
  struct Class {
    int64_t rows = 0;    // the best size; 0: nothing seen
    double rate = 0;     // its rows a ns, running mean
    double latency = 0;  // likewise
    int batches = 0;     // of that size
  };
  static size_t ClassOf(int64_t rows);

  std::array<Class, kClasses> classes_{};
  int off_ = 0;  // in a row: > 0 slower than their class, < 0 faster
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_RATE_TABLE_H_
