// Counters and latency histograms that any thread may record into and any thread may read, with no
// lock: recording is a few relaxed atomic additions.
#ifndef SKYSAIL_TELEMETRY_HISTOGRAM_H_
#define SKYSAIL_TELEMETRY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace skysail::telemetry {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Log-linear buckets: 16 per power of two, so that a quantile is within 1/16 (6.25%) of the truth,
// for values from 0 to 2^42 (73 minutes in nanoseconds); larger ones count in the last bucket.
class Histogram {
 public:
  static constexpr int kSubBits = 4;
  static constexpr int kBuckets = (42 - kSubBits + 1) << kSubBits;

  void Record(uint64_t value) {
    buckets_[Index(value)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  // A copy that can be added to, subtracted from (for rates over a window) and asked for quantiles.
  struct Snapshot {
    std::vector<uint64_t> buckets;
    uint64_t count = 0, sum = 0;
    // The upper edge of the bucket that holds quantile q in [0, 1]; 0 when empty.
    uint64_t Quantile(double q) const;
    // How many values lie at or below each of `bounds`, which must ascend, to within a bucket: one that
    // straddles a bound counts above it.
    std::vector<uint64_t> CountsUpTo(const std::vector<uint64_t>& bounds) const;
    double Mean() const {
      return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
    }
    Snapshot& operator+=(const Snapshot& other);
    Snapshot& operator-=(
        const Snapshot& earlier);  // requires an earlier one of the same histogram(s)
  };
  Snapshot snapshot() const;

  static int Index(uint64_t value) {
    if (value < (1u << kSubBits)) return static_cast<int>(value);
    int shift = 63 - __builtin_clzll(value) - kSubBits;
    int index =
        ((shift + 1) << kSubBits) + static_cast<int>((value >> shift) & ((1 << kSubBits) - 1));
    return index < kBuckets ? index : kBuckets - 1;
  }
  static uint64_t UpperEdge(int index);  // the largest value that counts in the bucket

 private:
  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> sum_{0};
};

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_HISTOGRAM_H_
