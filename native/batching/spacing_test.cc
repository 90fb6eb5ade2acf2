#include "batching/spacing.h"

#include <gtest/gtest.h>

#include <random>

namespace skysail::batching {
namespace {

// A fixed cost of 150 us; a row comes every 20 us.
constexpr Spacing::Scene kScene{150e3, 5e3, 9 * kMillisecond, 20e3};
constexpr TimeNs kPeriod = 500 * kMicrosecond;

// Rows come every 20 us on average, less often by their part when some of `population` are here, of which
// all are served every 500 us. Returns when the last batch began.
TimeNs Live(Spacing* spacing, double population, TimeNs time = kSecond) {
  std::mt19937 random(3);
  TimeNs now = 0, began = 0;
  int64_t here = 0;
  for (;;) {
    const double left = 1 - static_cast<double>(here) / population;
    if (left > 0) now += 1 + static_cast<TimeNs>(std::exponential_distribution<double>(left)(random) * 20e3);
    if (left <= 0 || now >= began + kPeriod) {
      now = began += kPeriod;
      if (began >= time) return began;
      spacing->OnBegin(began);
      spacing->OnPresent(here = 0, began);
      continue;
    }
    spacing->OnPresent(here, now);
    spacing->OnArrival(1);
    ++here;
  }
}

TEST(Spacing, BatchesOfAStreamThatDoesNotDependOnAnswersAreKeptApart) {
  Spacing spacing;
  const TimeNs end = Live(&spacing, 1e9);
  spacing.OnBegin(end);
  spacing.OnPresent(1, end);
  EXPECT_NEAR(static_cast<double>(spacing.Until(kScene) - end), 7 * 150e3, 1e3);
}

TEST(Spacing, ByNoMoreThanAPartOfWhatABatchMayTake) {
  Spacing spacing;
  const TimeNs end = Live(&spacing, 1e9);
  spacing.OnBegin(end);
  Spacing::Scene tight = kScene;
  tight.objective = 3 * kMillisecond;
  EXPECT_NEAR(static_cast<double>(spacing.Until(tight) - end), 500e3, 1e3);
  tight.objective = kMillisecond;
  EXPECT_LE(spacing.Until(tight), end) << "too little to be worth it";
}

TEST(Spacing, NotBeforeEnoughWasSeen) {
  Spacing spacing;
  const TimeNs end = Live(&spacing, 1e9, 2 * kMillisecond);
  EXPECT_LE(spacing.Until(kScene), end);
}

TEST(Spacing, CallersThatComeLessTheMoreOfThemAreHereAreNotHeld) {
  for (const double population : {8.0, 20.0, 40.0}) {
    Spacing spacing;
    const TimeNs end = Live(&spacing, population);
    spacing.OnBegin(end);
    spacing.OnPresent(1, end);
    EXPECT_LE(spacing.Until(kScene), end) << population;
  }
}

TEST(Spacing, NobodyIsHeldWhoMayBeTheLast) {
  Spacing spacing;
  const TimeNs end = Live(&spacing, 1e9);
  spacing.OnBegin(end);
  spacing.OnPresent(200, end);
  EXPECT_LE(spacing.Until(kScene), end);
  spacing.OnPresent(20, end);
  EXPECT_GT(spacing.Until(kScene), end);
}

TEST(Spacing, NothingIsHeldWhereItSparesTheModelLittle) {
  Spacing spacing;
  const TimeNs end = Live(&spacing, 1e9);
  spacing.OnBegin(end);
  spacing.OnPresent(1, end);
  Spacing::Scene steep = kScene, seldom = kScene, busy = kScene, none = kScene;
  steep.fixed_ns = 20e3, steep.row_ns = 15e3;
  seldom.gap_ns = 200e3;
  busy.row_ns = 21e3;
  none.fixed_ns = 0;
  for (const Spacing::Scene& scene : {steep, seldom, busy, none}) {
    EXPECT_LE(spacing.Until(scene), end) << scene.fixed_ns << " " << scene.row_ns;
  }
}

}  // namespace
}  // namespace skysail::batching
