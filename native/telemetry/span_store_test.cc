#include "telemetry/span_store.h"

#include <gtest/gtest.h>

#include <set>

#include "telemetry/span_ids.h"

namespace skysail::telemetry {
namespace {

SpanRecord Of(uint64_t trace, Stage stage = Stage::kServe, uint64_t batch = 0, uint8_t flags = 0) {
  SpanRecord record;
  record.trace = {trace, trace};
  record.span = NewId();
  record.stage = stage;
  record.batch = batch;
  record.flags = flags;
  return record;
}
std::set<uint64_t> Traces(const std::vector<SpanRecord>& records) {
  std::set<uint64_t> traces;
  for (const SpanRecord& record : records) traces.insert(record.trace.high);
  return traces;
}

TEST(SpanStoreTest, KeepsTheLatest) {
  ManualClock clock;
  SpanStore store(2, {64, 3, 100}, clock);
  for (uint64_t n = 1; n <= 4; ++n) store.ring(n % 2)->Record(Of(n));
  store.Collect();
  EXPECT_EQ(store.All().size(), 3u);
  EXPECT_EQ(store.counts().kept, 4u);
}

TEST(SpanStoreTest, CountsWhatARingLost) {
  ManualClock clock;
  SpanStore store(1, {4, 100, 100}, clock);
  for (uint64_t n = 1; n <= 10; ++n) store.ring(0)->Record(Of(n));
  store.Collect();
  EXPECT_EQ(store.All().size(), 4u);
  EXPECT_EQ(store.counts().overwritten, 6u);
}

// Processes that are over their budgets keep whole traces, and the same ones.
TEST(SpanStoreTest, BeyondTheBudgetWholeTracesAreLeftOutTheSameEverywhere) {
  ManualClock clock;
  SpanStore one(1, {8192, 10000, 1000}, clock), other(1, {8192, 10000, 1000}, clock);
  for (uint64_t trace = 1; trace <= 1000; ++trace) {
    const uint64_t id = NewId();
    for (int i = 0; i < 4; ++i) one.ring(0)->Record(Of(id));
    for (int i = 0; i < 2; ++i) other.ring(0)->Record(Of(id));
  }
  one.Collect();
  other.Collect();
  const std::set<uint64_t> fewer = Traces(one.All()), more = Traces(other.All());
  EXPECT_NEAR(static_cast<double>(one.All().size()), 1000, 200);
  EXPECT_EQ(one.All().size(), 4 * fewer.size()) << "whole traces";
  EXPECT_EQ(one.counts().over_budget, 4000 - one.All().size());
  for (const uint64_t trace : fewer) EXPECT_EQ(more.count(trace), 1u);
}

TEST(SpanStoreTest, TheBudgetComesBackWithTime) {
  ManualClock clock;
  SpanStore store(1, {8192, 10000, 100}, clock);
  const auto fill = [&] {
    for (int i = 0; i < 1000; ++i) store.ring(0)->Record(Of(NewId()));
    const uint64_t before = store.counts().kept;
    store.Collect();
    return store.counts().kept - before;
  };
  EXPECT_GT(fill(), 0u);
  EXPECT_LT(fill(), 50u) << "it is spent";
  clock.Advance(kSecond);
  EXPECT_GT(fill(), 50u);
}

TEST(SpanStoreTest, ABatchStaysWithAMemberThatDoes) {
  ManualClock clock;
  SpanStore store(1, {8192, 10000, 500}, clock);
  for (int batch = 1; batch <= 500; ++batch) {
    store.ring(0)->Record(Of(NewId(), Stage::kBatch, static_cast<uint64_t>(batch)));
    store.ring(0)->Record(Of(NewId(), Stage::kRun, static_cast<uint64_t>(batch)));
    store.ring(0)->Record(Of(NewId(), Stage::kRun, static_cast<uint64_t>(batch), SpanRecord::kMate));
  }
  store.Collect();
  std::set<uint64_t> members, batches, mates;
  for (const SpanRecord& record : store.All()) {
    const bool mate = (record.flags & SpanRecord::kMate) != 0;
    (record.stage == Stage::kBatch ? batches : mate ? mates : members).insert(record.batch);
  }
  EXPECT_FALSE(members.empty());
  EXPECT_LT(members.size(), 300u);
  EXPECT_EQ(batches, members);
  EXPECT_EQ(mates, members);
}

TEST(SpanStoreTest, AnExporterTakesEachOnceAndLosesWhatLeavesBefore) {
  ManualClock clock;
  SpanStore store(1, {64, 10, 100}, clock);
  for (uint64_t n = 1; n <= 6; ++n) store.ring(0)->Record(Of(n));
  store.Collect();
  EXPECT_TRUE(store.TakeForExport(100).empty()) << "not known to be complete yet";
  store.Collect();
  EXPECT_EQ(store.TakeForExport(4).size(), 4u);
  EXPECT_EQ(Traces(store.TakeForExport(4)), (std::set<uint64_t>{5, 6}));
  for (uint64_t n = 1; n <= 16; ++n) store.ring(0)->Record(Of(n));
  store.Collect();
  store.Collect();
  EXPECT_EQ(store.TakeForExport(100).size(), 10u);
  EXPECT_EQ(store.counts().not_exported, 6u);
}

TEST(SpanStoreTest, ABatchIsNotCutInTwo) {
  ManualClock clock;
  SpanStore store(1, {64, 64, 100}, clock);
  store.ring(0)->Record(Of(1, Stage::kBatch, 1));
  for (uint64_t n = 1; n <= 8; ++n) store.ring(0)->Record(Of(n, Stage::kRun, 1));
  store.ring(0)->Record(Of(9));
  store.Collect();
  store.Collect();
  EXPECT_EQ(store.TakeForExport(3).size(), 9u);
}

}  // namespace
}  // namespace skysail::telemetry
