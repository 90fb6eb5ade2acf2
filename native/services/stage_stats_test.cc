#include "services/stage_stats.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace skysail::services {
namespace {

InferResponse Answer(std::string version, CacheOutcome cache = CacheOutcome::kMiss) {
  InferResponse response;
  response.model = "m";
  response.version = std::move(version);
  response.cache = cache;
  response.timing.queue_us = 100;
  response.timing.fill_us = 20;
  response.timing.hop_us = 30;
  response.timing.staged_us = 5;
  response.timing.model_us = 800;
  return response;
}

const telemetry::Histogram::Snapshot& Spent(const Report& report, const std::string& version,
                                            const std::string& stage) {
  const Report& model = std::get<Report>(*report.Find("m"));
  const Report& stages = std::get<Report>(*model.Find(version));
  return std::get<Distribution>(*stages.Find(stage)).seen;
}

TEST(StageStats, StagesOfACallAddUpToItsTime) {
  StageStats stats;
  stats.Record(Answer("1"), 1000 * kMicrosecond);
  const Report report = stats.ToReport();
  uint64_t sum = 0;
  for (const char* stage : {"services", "queue", "fill", "hop", "staged", "model"}) {
    EXPECT_EQ(Spent(report, "1", stage).count, 1u) << stage;
    sum += Spent(report, "1", stage).sum;
  }
  EXPECT_EQ(sum, 1'000'000u);
  EXPECT_EQ(Spent(report, "1", "services").sum, 45'000u);
  EXPECT_EQ(Spent(report, "1", "model").sum, 800'000u);
}

TEST(StageStats, StagesThatAreLongerThanTheWholeLeaveNothingToTheServices) {
  StageStats stats;
  stats.Record(Answer("1"), 10 * kMicrosecond);
  EXPECT_EQ(Spent(stats.ToReport(), "1", "services").sum, 0u);
}

TEST(StageStats, AHitPassesTheHopsAlone) {
  StageStats stats;
  InferResponse hit = Answer("1", CacheOutcome::kHit);
  hit.timing = Timing();
  hit.timing.hop_us = 30;
  stats.Record(hit, 100 * kMicrosecond);
  const Report report = stats.ToReport();
  EXPECT_EQ(Spent(report, "1", "services").sum, 70'000u);
  EXPECT_EQ(Spent(report, "1", "hop").count, 1u);
  for (const char* stage : {"queue", "fill", "staged", "model"}) {
    EXPECT_EQ(Spent(report, "1", stage).count, 0u) << stage;
  }
}

TEST(StageStats, VersionsAreBounded) {
  StageStats stats;
  for (int i = 0; i < 40; ++i) stats.Record(Answer(std::to_string(i)), kMillisecond);
  EXPECT_TRUE(stats.full());
  EXPECT_EQ(std::get<Report>(*stats.ToReport().Find("m")).entries().size(), 32u);
  stats.Record(Answer("0"), kMillisecond);
  EXPECT_EQ(Spent(stats.ToReport(), "0", "model").count, 2u);
}

TEST(StageStats, ThreadsThatMeetANewVersionTogetherMakeOneOfIt) {
  StageStats stats;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&stats] {
      for (int i = 0; i < 800; ++i) stats.Record(Answer(std::to_string(i % 8)), kMillisecond);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Report report = stats.ToReport();
  EXPECT_EQ(std::get<Report>(*report.Find("m")).entries().size(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(Spent(report, std::to_string(i), "hop").count, 400u);
}

}  // namespace
}  // namespace skysail::services
