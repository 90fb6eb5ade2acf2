#include "batching/limit_controller.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace skysail::batching {
namespace {

constexpr TimeNs kObjective = 20 * kMillisecond;

using Curve = std::function<TimeNs(int64_t rows)>;

Curve Flat(TimeNs latency) {
  return [latency](int64_t) { return latency; };
}
Curve Linear(TimeNs base, TimeNs per_row) {
  return [base, per_row](int64_t rows) { return base + per_row * rows; };
}
// Fast up to `edge` rows, far too slow beyond: a cache or a device that is full.
Curve Stepped(int64_t edge) {
  return [edge](int64_t rows) { return rows <= edge ? kMillisecond : 3 * kObjective; };
}

struct Replay {
  int misses = 0;
  int64_t least = INT64_MAX, most = 0;
};

// Full batches of as many rows as the controller allows, one after the other.
Replay Feed(LimitController& controller, const Curve& curve, int batches) {
  Replay replay;
  for (int i = 0; i < batches; ++i) {
    int64_t rows = controller.limit();
    replay.least = std::min(replay.least, rows);
    replay.most = std::max(replay.most, rows);
    TimeNs latency = curve(rows);
    replay.misses += latency > kObjective;
    controller.Observe(rows, latency, kObjective, true);
  }
  return replay;
}

TEST(LimitController, StartsSmall) {
  EXPECT_EQ(LimitController({}).limit(), 4);
  LimitOptions tight;
  tight.max_rows = 2;
  EXPECT_EQ(LimitController(tight).limit(), 2);
}

TEST(LimitController, AFlatModelReachesTheMaximumInAFewBatchesAndNeverPassesIt) {
  LimitController controller({});
  Replay replay = Feed(controller, Flat(2 * kMillisecond), 9);
  EXPECT_EQ(controller.limit(), 1024);
  replay = Feed(controller, Flat(2 * kMillisecond), 200);
  EXPECT_EQ(replay.least, 1024);
  EXPECT_EQ(replay.most, 1024);
}

TEST(LimitController, ALinearModelSettlesWhereABatchJustMeetsItsObjective) {
  LimitController controller({});
  Curve curve = Linear(2 * kMillisecond, 100 * kMicrosecond);  // 180 rows take 20 ms
  Replay learning = Feed(controller, curve, 100);
  EXPECT_LE(learning.misses, 10);
  EXPECT_LE(learning.most, 184);  // doubling only while under half the objective
  Replay settled = Feed(controller, curve, 500);
  EXPECT_GE(settled.least, 160);
  EXPECT_LE(settled.most, 182);
  EXPECT_LE(settled.misses, 60);
}

TEST(LimitController, ASteppedModelIsHeldAtItsEdge) {
  LimitController controller({});
  Feed(controller, Stepped(64), 100);
  Replay settled = Feed(controller, Stepped(64), 500);
  EXPECT_GE(settled.least, 45);
  EXPECT_LE(settled.most, 66);
  EXPECT_LE(settled.misses, 100);  // the additive probe, not a doubling each time
}

TEST(LimitController, AMissCutsByTenPercent) {
  LimitOptions options;
  options.initial_rows = 100;
  LimitController controller(options);
  controller.Observe(100, kObjective + 1, kObjective, true);
  EXPECT_EQ(controller.limit(), 90);
}

TEST(LimitController, AMissByManyObjectivesCutsAtMostFourTimes) {
  LimitOptions options;
  options.initial_rows = 1000;
  LimitController controller(options);
  controller.Observe(1000, 2 * kObjective, kObjective, true);
  EXPECT_EQ(controller.limit(), 810);
  controller.Observe(800, 100 * kObjective, kObjective, true);
  EXPECT_EQ(controller.limit(), 531);
}

TEST(LimitController, AModelThatIsTooSlowForOneRowStillGetsOneRow) {
  LimitController controller({});
  Feed(controller, Flat(kSecond), 50);
  EXPECT_EQ(controller.limit(), 1);
}

TEST(LimitController, SmallBatchesNeverRaiseOrLowerTheLimit) {
  LimitOptions options;
  options.initial_rows = 100;
  LimitController controller(options);
  for (int i = 0; i < 1000; ++i) controller.Observe(1, kMillisecond, kObjective, false);
  EXPECT_EQ(controller.limit(), 100);
}

TEST(LimitController, AnAnswerFromATimeOfASmallerLimitDoesNotRaiseIt) {
  LimitOptions options;
  options.initial_rows = 100;
  LimitController controller(options);
  for (int i = 0; i < 100; ++i) controller.Observe(10, 15 * kMillisecond, kObjective, true);
  EXPECT_EQ(controller.limit(), 100);
}

TEST(LimitController, FollowsAModelThatBecomesSlowerAndFasterAgain) {
  LimitController controller({});
  Curve fast = Linear(kMillisecond, 20 * kMicrosecond);   // 950 rows
  Curve slow = Linear(kMillisecond, 400 * kMicrosecond);  // 47 rows
  Feed(controller, fast, 200);
  EXPECT_GE(controller.limit(), 850);
  Feed(controller, slow, 40);
  EXPECT_LE(controller.limit(), 50);
  Feed(controller, slow, 100);
  Feed(controller, fast, 30);
  EXPECT_GE(controller.limit(), 400);
  Feed(controller, fast, 200);
  EXPECT_GE(controller.limit(), 850);
}

TEST(LimitController, ReplaysToTheSameLimits) {
  auto limits = [] {
    std::mt19937 random(5);
    LimitController controller({});
    std::vector<int64_t> seen;
    for (int i = 0; i < 500; ++i) {
      int64_t rows = 1 + static_cast<int64_t>(random() % 64);
      controller.Observe(rows, static_cast<TimeNs>(random() % (2 * kObjective)), kObjective,
                         rows % 2);
      seen.push_back(controller.limit());
    }
    return seen;
  };
  EXPECT_EQ(limits(), limits());
}

TEST(LimitController, StaysInItsRangeWhateverItIsTold) {
  std::mt19937_64 random(9);
  LimitOptions options;
  options.max_rows = 37;
  LimitController controller(options);
  for (int i = 0; i < 20000; ++i) {
    controller.Observe(static_cast<int64_t>(random() % 2000) - 5,
                       static_cast<TimeNs>(random() % (uint64_t{1} << (random() % 50))),
                       static_cast<TimeNs>(random() % 5) * kMillisecond, random() % 2 == 0);
    ASSERT_GE(controller.limit(), 1);
    ASSERT_LE(controller.limit(), 37);
    ASSERT_GE(controller.Estimate(100), 0);
  }
}

TEST(LatencyLine, KnowsNothingAtFirstAndIsFlatAfterOneSize) {
  LatencyLine line;
  EXPECT_EQ(line.Estimate(10), 0);
  for (int i = 0; i < 10; ++i) line.Observe(8, 5 * kMillisecond);
  EXPECT_EQ(line.Estimate(1), 5 * kMillisecond);
  EXPECT_EQ(line.Estimate(100), 5 * kMillisecond);
}

TEST(LatencyLine, LearnsALineFromNoisyBatches) {
  LatencyLine line;
  std::mt19937 random(3);
  std::normal_distribution<double> noise(1, 0.05);
  for (int i = 0; i < 300; ++i) {
    int64_t rows = 1 + static_cast<int64_t>(random() % 128);
    double truth = static_cast<double>(2 * kMillisecond + rows * 50 * kMicrosecond);
    line.Observe(rows, static_cast<TimeNs>(truth * noise(random)));
  }
  EXPECT_NEAR(static_cast<double>(line.Estimate(1)), 2.05e6, 0.3e6);
  EXPECT_NEAR(static_cast<double>(line.Estimate(128)), 8.4e6, 0.4e6);
}

TEST(LatencyLine, OneHiccupMovesItLittle) {
  LatencyLine line;
  for (int i = 0; i < 100; ++i) line.Observe(1 + i % 16, 2 * kMillisecond);
  line.Observe(8, 10 * kSecond);
  EXPECT_LT(line.Estimate(8), 2.5 * kMillisecond);
}

TEST(LatencyLine, ReadaptsWhenTheModelsSpeedChanges) {
  LatencyLine line;
  auto run = [&line](TimeNs per_row, int batches) {
    for (int i = 0; i < batches; ++i)
      line.Observe(1 + i % 64, kMillisecond + per_row * (1 + i % 64));
  };
  run(100 * kMicrosecond, 200);
  run(3 * kMillisecond, 100);
  EXPECT_NEAR(static_cast<double>(line.Estimate(64)), 193e6, 20e6);
  run(100 * kMicrosecond, 100);
  EXPECT_NEAR(static_cast<double>(line.Estimate(64)), 7.4e6, 1e6);
}

TEST(LatencyLine, NeverFallsWithRowsAndIsNeverNegative) {
  LatencyLine line;
  for (int i = 0; i < 50; ++i) line.Observe(1 + i % 32, (40 - i % 32) * kMillisecond);
  EXPECT_GE(line.Estimate(32), line.Estimate(1));
  LatencyLine steep;
  for (int i = 0; i < 50; ++i) steep.Observe(10 + i % 10, (1 + i % 10) * kMillisecond);
  EXPECT_GE(steep.Estimate(1), 0);
}

}  // namespace
}  // namespace skysail::batching
