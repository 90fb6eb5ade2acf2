#include "telemetry/histogram.h"

#include <algorithm>
#include <cmath>

namespace skysail::telemetry {
namespace {

constexpr int kSub = 1 << Histogram::kSubBits;  // buckets per power of two

}  // namespace

uint64_t Histogram::UpperEdge(int index) {
  if (index < kSub) return static_cast<uint64_t>(index);
  int shift = index / kSub - 1;
  uint64_t lower = static_cast<uint64_t>(kSub + index % kSub) << shift;
  return lower + (uint64_t{1} << shift) - 1;
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot copy;
  copy.buckets.resize(kBuckets);
  for (int i = 0; i < kBuckets; ++i) {
    copy.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    copy.count += copy.buckets[i];
  }
  copy.sum = sum_.load(std::memory_order_relaxed);
  return copy;
}

Histogram::Snapshot& Histogram::Snapshot::operator+=(const Snapshot& other) {
  if (other.buckets.empty()) return *this;
  buckets.resize(kBuckets);
  for (int i = 0; i < kBuckets; ++i) buckets[i] += other.buckets[i];
  count += other.count;
  sum += other.sum;
  return *this;
}

Histogram::Snapshot& Histogram::Snapshot::operator-=(const Snapshot& earlier) {
  if (earlier.buckets.empty()) return *this;
  buckets.resize(kBuckets);
  for (int i = 0; i < kBuckets; ++i) buckets[i] -= earlier.buckets[i];
  count -= earlier.count;
  sum -= earlier.sum;
  return *this;
}

uint64_t Histogram::Snapshot::Quantile(double q) const {
  if (count == 0) return 0;
  auto rank =
      static_cast<uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count)));
  rank = std::clamp<uint64_t>(rank, 1, count);
  uint64_t seen = 0;
  int index = 0;
  while ((seen += buckets[index]) < rank) ++index;
  return UpperEdge(index);
}

std::vector<uint64_t> Histogram::Snapshot::CountsUpTo(const std::vector<uint64_t>& bounds) const {
  std::vector<uint64_t> counts;
  counts.reserve(bounds.size());
  uint64_t seen = 0;
  size_t index = 0;
  for (const uint64_t bound : bounds) {
    while (index < buckets.size() && UpperEdge(static_cast<int>(index)) <= bound) {
      seen += buckets[index++];
    }
    counts.push_back(seen);
  }
  return counts;
}

}  // namespace skysail::telemetry
