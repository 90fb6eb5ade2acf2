#include "selection/weighted.h"

#include <gtest/gtest.h>

#include <cmath>

namespace skysail::selection {
namespace {

constexpr int kContexts = 100000;

std::string Context(int i) { return "user-" + std::to_string(i); }

TEST(SplitByWeight, TheSameContextMeetsTheSameArm) {
  std::vector<Arm> arms = {{"1", 0.5}, {"2", 0.5}};
  for (int i = 0; i < 100; ++i) {
    size_t arm = SplitByWeight(Context(i), "salt", arms);
    for (int again = 0; again < 3; ++again) {
      ASSERT_EQ(SplitByWeight(Context(i), "salt", arms), arm);
    }
  }
}

TEST(SplitByWeight, SharesAreWithinOnePercentOverAHundredThousandContexts) {
  std::vector<Arm> arms = {{"1", 90}, {"2", 7.5}, {"3", 0}, {"4", 2.5}};
  std::vector<int> counts(arms.size());
  for (int i = 0; i < kContexts; ++i) ++counts[SplitByWeight(Context(i), "m", arms)];
  for (size_t a = 0; a < arms.size(); ++a) {
    EXPECT_NEAR(counts[a] / double{kContexts}, arms[a].weight / 100, 0.01) << arms[a].name;
  }
  EXPECT_EQ(counts[2], 0);
}

TEST(SplitByWeight, OnlyTheContextsThatMustMoveWhenWeightsChange) {
  std::vector<Arm> before = {{"1", 90}, {"2", 10}}, after = {{"1", 80}, {"2", 20}};
  int moved = 0;
  for (int i = 0; i < kContexts; ++i) {
    size_t was = SplitByWeight(Context(i), "m", before), is = SplitByWeight(Context(i), "m", after);
    if (was != is) {
      ++moved;
      ASSERT_EQ(is, 1u) << "a context moved away from the arm that grew";
    }
  }
  EXPECT_NEAR(moved / double{kContexts}, 0.10, 0.01);
}

TEST(SplitByWeight, ANewArmTakesItsShareAndMovesNobodyElse) {
  std::vector<Arm> before = {{"1", 1}, {"2", 1}}, after = {{"3", 1}, {"1", 1}, {"2", 1}};
  int moved = 0;
  for (int i = 0; i < kContexts; ++i) {
    const Arm& was = before[SplitByWeight(Context(i), "m", before)];
    const Arm& is = after[SplitByWeight(Context(i), "m", after)];
    if (was.name != is.name) {
      ++moved;
      ASSERT_EQ(is.name, "3");
    }
  }
  EXPECT_NEAR(moved / double{kContexts}, 1.0 / 3, 0.01);
}

TEST(SplitByWeight, OtherSaltsSplitIndependently) {
  std::vector<Arm> arms = {{"1", 1}, {"2", 1}};
  int same = 0;
  for (int i = 0; i < kContexts; ++i) {
    same += SplitByWeight(Context(i), "a", arms) == SplitByWeight(Context(i), "b", arms);
  }
  EXPECT_NEAR(same / double{kContexts}, 0.5, 0.01);
}

TEST(SplitByWeight, NoArmWithoutAPositiveWeight) {
  EXPECT_EQ(SplitByWeight("k", "s", {}), kNoArm);
  EXPECT_EQ(SplitByWeight("k", "s", {{"1", 0}, {"2", -1}, {"3", std::nan("")}}), kNoArm);
  EXPECT_EQ(SplitByWeight("k", "s", {{"1", 0}, {"2", 1e-300}}), 1u);
}

TEST(RendezvousPick, SharesKeysEquallyAndMovesOnlyThoseOfTheOneThatLeft) {
  std::vector<std::string_view> all = {"a", "b", "c", "d"}, fewer = {"d", "a", "c"};
  std::vector<int> counts(all.size());
  for (int i = 0; i < kContexts; ++i) {
    size_t was = RendezvousPick(Context(i), all);
    ++counts[was];
    std::string_view is = fewer[RendezvousPick(Context(i), fewer)];
    if (all[was] != "b") {
      ASSERT_EQ(is, all[was]);
    }
  }
  for (int count : counts) EXPECT_NEAR(count / double{kContexts}, 0.25, 0.01);
}

TEST(RendezvousPick, NothingToPickFromIsNoArm) { EXPECT_EQ(RendezvousPick("k", {}), kNoArm); }

}  // namespace
}  // namespace skysail::selection
