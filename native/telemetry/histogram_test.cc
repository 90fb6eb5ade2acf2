#include "telemetry/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>

namespace skysail::telemetry {
namespace {

TEST(Counter, AddsUpAcrossThreads) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 10000; ++i) counter.Add(2);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 80000u);
}

TEST(Histogram, BucketsTileTheRangeWithoutGapOrOverlap) {
  uint64_t lower = 0;
  for (int i = 0; i < Histogram::kBuckets; ++i) {
    uint64_t upper = Histogram::UpperEdge(i);
    ASSERT_GE(upper, lower);
    ASSERT_EQ(Histogram::Index(lower), i);
    ASSERT_EQ(Histogram::Index(upper), i);
    ASSERT_LE(static_cast<double>(upper - lower), static_cast<double>(lower) / 16);
    lower = upper + 1;
  }
  EXPECT_EQ(lower, uint64_t{1} << 42);
}

TEST(Histogram, ValuesBeyondTheRangeCountInTheLastBucket) {
  EXPECT_EQ(Histogram::Index(UINT64_MAX), Histogram::kBuckets - 1);
  EXPECT_EQ(Histogram::Index(uint64_t{1} << 42), Histogram::kBuckets - 1);
}

TEST(Histogram, AnEmptyOneHasNoQuantiles) {
  Histogram histogram;
  EXPECT_EQ(histogram.snapshot().Quantile(0.5), 0u);
  EXPECT_EQ(histogram.snapshot().Mean(), 0);
}

TEST(Histogram, QuantilesAreWithinASixteenthOfTheTruth) {
  Histogram histogram;
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(13, 1.5);
  std::vector<uint64_t> values;
  for (int i = 0; i < 20000; ++i) values.push_back(static_cast<uint64_t>(latency(random)));
  for (uint64_t value : values) histogram.Record(value);
  std::sort(values.begin(), values.end());
  auto snapshot = histogram.snapshot();
  EXPECT_EQ(snapshot.count, values.size());
  for (double q : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
    double truth = static_cast<double>(values[std::max<size_t>(rank, 1) - 1]);
    double got = static_cast<double>(snapshot.Quantile(q));
    EXPECT_GE(got, truth) << q;
    EXPECT_LE(got, truth * (1 + 1.0 / 16)) << q;
  }
}

TEST(Histogram, SnapshotsSubtractToAWindowAndAddUpToATotal) {
  Histogram histogram, other;
  histogram.Record(5);
  auto earlier = histogram.snapshot();
  histogram.Record(100);
  histogram.Record(100);
  auto window = histogram.snapshot();
  window -= earlier;
  EXPECT_EQ(window.count, 2u);
  EXPECT_EQ(window.sum, 200u);
  EXPECT_EQ(window.Quantile(0), Histogram::UpperEdge(Histogram::Index(100)));
  other.Record(7);
  Histogram::Snapshot total;
  total += window;
  total += other.snapshot();
  EXPECT_EQ(total.count, 3u);
  EXPECT_EQ(total.Quantile(0), 7u);
  EXPECT_DOUBLE_EQ(total.Mean(), 69);
}

TEST(Histogram, ThreadsRecordAndReadTogether) {
  Histogram histogram;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&histogram] {
      for (uint64_t i = 0; i < 5000; ++i) histogram.Record(i);
    });
  }
  for (int i = 0; i < 50; ++i) EXPECT_LE(histogram.snapshot().count, 15000u);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(histogram.snapshot().count, 15000u);
}

TEST(HistogramTest, CountsUpToBoundsAreCumulativeAndExactAtBucketEdges) {
  Histogram histogram;
  for (const uint64_t value : {0u, 3u, 3u, 15u, 16u, 1000u, 100000u}) histogram.Record(value);
  const uint64_t edge = Histogram::UpperEdge(Histogram::Index(1000));
  EXPECT_EQ(histogram.snapshot().CountsUpTo({0, 3, 15, edge - 1, edge, UINT64_MAX}),
            (std::vector<uint64_t>{1, 3, 4, 5, 6, 7}));
  EXPECT_EQ(Histogram::Snapshot().CountsUpTo({1, 2}), (std::vector<uint64_t>{0, 0}));
}

}  // namespace
}  // namespace skysail::telemetry
