#include "telemetry/span_ring.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace skysail::telemetry {
namespace {

SpanRecord Numbered(uint64_t n) {
  SpanRecord record;
  record.trace = {n, ~n};
  record.span = n;
  record.hop_us = static_cast<uint32_t>(n);
  return record;
}

TEST(SpanRingTest, IsReadInTheOrderInWhichItWasWritten) {
  SpanRing ring(8);
  for (uint64_t n = 1; n <= 5; ++n) ring.Record(Numbered(n));
  uint64_t position = 0;
  std::vector<SpanRecord> read;
  EXPECT_EQ(ring.ReadFrom(&position, &read), 0u);
  ASSERT_EQ(read.size(), 5u);
  for (uint64_t n = 1; n <= 5; ++n) EXPECT_EQ(read[n - 1].trace, (TraceId{n, ~n}));
  EXPECT_EQ(ring.ReadFrom(&position, &read), 0u);
  EXPECT_EQ(read.size(), 5u) << "nothing twice";
}

TEST(SpanRingTest, AFullRingLosesTheOldestAndSaysHowMany) {
  SpanRing ring(8);
  for (uint64_t n = 0; n < 20; ++n) ring.Record(Numbered(n));
  uint64_t position = 0;
  std::vector<SpanRecord> read;
  EXPECT_EQ(ring.ReadFrom(&position, &read), 12u);
  ASSERT_EQ(read.size(), 8u);
  EXPECT_EQ(read[0].span, 12u);
}

// A reader on another thread sees whole records only, each once, and misses those that it was too slow for.
TEST(SpanRingTest, NoRecordIsReadInPart) {
  SpanRing ring(64);
  constexpr uint64_t kMany = 300000;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (uint64_t n = 0; n < kMany; ++n) ring.Record(Numbered(n));
    done = true;
  });
  uint64_t position = 0, missed = 0, seen = 0, last = 0;
  for (bool over = false; !over;) {
    over = done;
    std::vector<SpanRecord> read;
    missed += ring.ReadFrom(&position, &read);
    for (const SpanRecord& record : read) {
      ASSERT_EQ(record.trace, (TraceId{record.span, ~record.span}));
      ASSERT_EQ(record.hop_us, static_cast<uint32_t>(record.span));
      ASSERT_TRUE(seen == 0 || record.span > last);
      last = record.span;
      ++seen;
    }
  }
  writer.join();
  EXPECT_EQ(seen + missed, kMany);
  EXPECT_GT(seen, 0u);
}

TEST(SpanRingTest, BelongsToTheThreadThatItWasGivenTo) {
  const auto ring = std::make_shared<SpanRing>(8);
  std::thread([&ring] {
    EXPECT_EQ(SpanRing::OfThisThread(), nullptr);
    SpanRing::SetOfThisThread(ring);
    EXPECT_EQ(SpanRing::OfThisThread(), ring.get());
  }).join();
  EXPECT_EQ(SpanRing::OfThisThread(), nullptr);
  EXPECT_EQ(ring.use_count(), 1) << "let go of with its thread";
}

}  // namespace
}  // namespace skysail::telemetry
