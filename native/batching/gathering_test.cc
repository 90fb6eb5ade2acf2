#include "batching/gathering.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace skysail::batching {
namespace {

constexpr TimeNs kBase = 4 * kMillisecond;
constexpr TimeNs kObjective = 400 * kMillisecond;

// `batches` batches of `rows` rows, of which `back` come back `after` their answer.
void Live(Gathering* gathering, int batches, int64_t rows, int64_t back, TimeNs after,
          TimeNs base = kBase) {
  for (int i = 0; i < batches; ++i) {
    const TimeNs now = i * 10 * kMillisecond;
    gathering->OnAnswered(rows, now, {base, kObjective, 0, 128});
    gathering->OnArrival(back, now + after);
  }
}

TEST(Gathering, NothingIsWaitedForBeforeItWasSeen) {
  Gathering gathering;
  EXPECT_EQ(gathering.Target(32, {kBase, kObjective, 32, 128}), 32);
  gathering.OnAnswered(32, 0, {kBase, kObjective, 32, 128});
  EXPECT_FALSE(gathering.Hold(32, 1));
}

TEST(Gathering, CallersThatComeBackSoonAreWaitedFor) {
  Gathering gathering;
  Live(&gathering, 50, 32, 32, kMillisecond / 2);
  EXPECT_NEAR(gathering.share(), 1, 0.01);
  EXPECT_GT(gathering.Target(32, {kBase, kObjective, 32, 128}), 60);
  EXPECT_LE(gathering.Target(32, {kBase, kObjective, 32, 128}), 64);
  EXPECT_LE(gathering.Target(32, {kBase, kObjective, 8, 20}), 20) << "no more than fit a batch";
  EXPECT_EQ(gathering.Target(32, {kBase, kObjective, 128, 128}), 128);
}

TEST(Gathering, CallersThatComeBackLateAreNot) {
  Gathering gathering;
  Live(&gathering, 50, 32, 32, 2 * kMillisecond);
  EXPECT_EQ(gathering.Target(32, {kBase, kObjective, 32, 128}), 32);
}

TEST(Gathering, ALoneCallerIsServedWhenItComes) {
  Gathering gathering;
  Live(&gathering, 50, 1, 1, kMicrosecond);
  EXPECT_LE(gathering.Target(1, {kBase, kObjective, 0, 128}), 1) << "nobody but itself";
}

TEST(Gathering, ItHoldsUntilTheyAreThereOrTheWindowIsOver) {
  Gathering gathering;
  Live(&gathering, 50, 32, 32, kMillisecond / 2);
  gathering.OnAnswered(32, kSecond, {kBase, kObjective, 32, 128});
  EXPECT_TRUE(gathering.Hold(32, kSecond));
  EXPECT_TRUE(gathering.Hold(50, kSecond + kMillisecond / 2));
  EXPECT_FALSE(gathering.Hold(63, kSecond + kMillisecond / 2));
  EXPECT_FALSE(gathering.Hold(32, kSecond + kMillisecond));
}

TEST(Gathering, ItStopsWhenTheCallersHaveGone) {
  Gathering gathering;
  Live(&gathering, 50, 32, 32, kMillisecond / 2);
  Live(&gathering, 20, 32, 0, 0);
  EXPECT_EQ(gathering.Target(32, {kBase, kObjective, 32, 128}), 32);
}

TEST(Gathering, TheWindowIsAPartOfTheObjectiveAtMost) {
  Gathering gathering;
  gathering.OnAnswered(32, 7, {kSecond, 20 * kMillisecond, 0, 128});
  EXPECT_EQ(gathering.until(), 7 + kMillisecond);
}

// One replica whose batches take base + slope * rows, and what gathering makes of it.
struct Served {
  double rows_per_s;
  double waited;  // share of the time in which it was free and work waited
};

// 64 callers, each back `away` after its answer.
Served ClosedLoop(TimeNs base, TimeNs slope, TimeNs away) {
  Gathering gathering;
  std::vector<TimeNs> due;
  for (int i = 0; i < 64; ++i) due.push_back(i < 32 ? 0 : base / 2);
  TimeNs now = 0, waited = 0;
  int64_t served = 0;
  while (served < 64 * 400) {
    std::sort(due.begin(), due.end());
    now = std::max(now, due.front());
    int64_t waiting = std::upper_bound(due.begin(), due.end(), now) - due.begin();
    const TimeNs free_since = now;
    while (gathering.Hold(waiting, now)) {
      now = waiting < 64 ? std::min(gathering.until(), due[static_cast<size_t>(waiting)])
                         : gathering.until();
      waiting = std::upper_bound(due.begin(), due.end(), now) - due.begin();
    }
    waited += now - free_since;
    now += base + slope * waiting;
    const auto left = std::count_if(due.begin() + waiting, due.end(),
                                    [now](TimeNs at) { return at <= now; });
    gathering.OnAnswered(waiting, now, {base, kObjective, left, 128});
    for (int64_t i = 0; i < waiting; ++i) due[static_cast<size_t>(i)] = now + away;
    for (const TimeNs at : due) gathering.OnArrival(1, at >= now ? at : kNever);
    served += waiting;
  }
  return {static_cast<double>(served) * kSecond / static_cast<double>(now),
          static_cast<double>(waited) / static_cast<double>(now)};
}

TEST(Gathering, TwoGroupsOfCallersMeetWhereTheFixedCostIsLarge) {
  const Served served = ClosedLoop(4 * kMillisecond, 10 * kMicrosecond, kMillisecond / 2);
  const double apart = 32.0 * kSecond / (4 * kMillisecond + 32 * 10 * kMicrosecond);
  EXPECT_GT(served.rows_per_s, 1.5 * apart);
}

TEST(Gathering, NothingIsLostWhereCallersAreAwayForLong) {
  const Served served = ClosedLoop(4 * kMillisecond, 10 * kMicrosecond, 3 * kMillisecond);
  EXPECT_LT(served.waited, 0.01);
}

// Arrivals that do not depend on answers, at 0.7 of what the replica can do in batches of 64.
TEST(Gathering, PoissonArrivalsAreNotHeldWhileWorkWaits) {
  constexpr TimeNs kSlope = 10 * kMicrosecond;
  std::mt19937 random(7);
  std::exponential_distribution<double> gap(0.7 * 64 / (kBase + 64.0 * kSlope));
  Gathering gathering;
  TimeNs now = 0, next = 0, held = 0;
  int64_t waiting = 0;
  const auto arrive_until = [&](TimeNs end) {
    for (; next <= end; next += static_cast<TimeNs>(gap(random))) {
      gathering.OnArrival(1, next);
      ++waiting;
    }
  };
  for (int batch = 0; batch < 2000; ++batch) {
    if (waiting == 0) arrive_until(now = next);
    if (gathering.Hold(waiting, now)) held += gathering.until() - now;
    const int64_t rows = waiting;
    waiting = 0;
    now += kBase + kSlope * rows;
    arrive_until(now);
    gathering.OnAnswered(rows, now, {kBase, kObjective, waiting, 128});
  }
  EXPECT_LT(static_cast<double>(held), 0.01 * static_cast<double>(now));
}

}  // namespace
}  // namespace skysail::batching
