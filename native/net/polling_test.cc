#include "net/polling.h"

#include <gtest/gtest.h>

namespace skysail::net {
namespace {

constexpr TimeNs kWindow = 300 * kMicrosecond;
constexpr TimeNs kShort = 100 * kMicrosecond;
constexpr int kCores = 2;

// A loop on a clock of its own, on a machine whose cores are idle for a share of one core's time.
struct Loop {
  // Goes through waits that follow upon each other and take so long; returns how many it polled.
  int Wait(int times, TimeNs took, int calls = 0) {
    int polled = 0;
    for (int i = 0; i < times; ++i) {
      const bool considered = polling.Considers(now, calls);
      if (considered && polling.WantsIdleTime(now)) {
        idle += static_cast<TimeNs>(idle_share * static_cast<double>(now - told));
        polling.TellIdleTime(now, idle);
        told = now;
      }
      const TimeNs window = considered ? polling.Window(now, calls) : 0;
      if (window > 0) ++polled;
      now += took;
      if (considered) polling.Waited(calls, took, took > window ? window : 0);
    }
    return polled;
  }
  Polling polling{kWindow, kCores};
  double idle_share = 0.3;
  TimeNs now = 0, idle = 0, told = 0;
};

TEST(PollingTest, NeverPollsUnlessToldAndOnOneCore) {
  EXPECT_FALSE(Polling().Considers(0, 0));
  EXPECT_FALSE(Polling(0, kCores).Considers(0, 0));
  EXPECT_FALSE(Polling(kWindow, 1).Considers(0, 0));
}

TEST(PollingTest, PollsWhileFewerCallsThanCoresAreUnderWayAndHaveBeenForSomeTime) {
  Polling polling(kWindow, 4);
  EXPECT_TRUE(polling.Considers(0, 3));
  EXPECT_FALSE(polling.Considers(1, 4));
  EXPECT_FALSE(polling.Considers(Polling::kQuiet, 0));
  EXPECT_TRUE(polling.Considers(Polling::kQuiet + 1, 0));
}

TEST(PollingTest, PollsThroughShortWaitsAsSoonAsItKnowsOfIdleTime) {
  Loop loop;
  EXPECT_EQ(loop.Wait(static_cast<int>(Polling::kLookEvery / kShort), kShort), 0);
  EXPECT_EQ(loop.Wait(10'000, kShort), 10'000);
  EXPECT_EQ(loop.polling.in_vain(), 0);
}

TEST(PollingTest, PollsOnlyWhileCoresAreIdleForPartOfTheTime) {
  constexpr int kNoticed = static_cast<int>(Polling::kLookEvery / kShort) + 1;
  Loop loop;
  for (int round = 0; round < 3; ++round) {
    loop.idle_share = 0.1;
    loop.Wait(kNoticed, kShort);
    EXPECT_EQ(loop.Wait(10'000, kShort), 0);
    loop.idle_share = 0.3;
    loop.Wait(kNoticed, kShort);
    EXPECT_EQ(loop.Wait(10'000, kShort), 10'000);
  }
}

TEST(PollingTest, IdleTimeOfLongAgoSaysNothing) {
  Loop loop;
  loop.Wait(5'000, kShort);
  loop.now += 4 * Polling::kLookEvery;  // asleep meanwhile
  EXPECT_EQ(loop.Wait(1, kShort), 0);
}

TEST(PollingTest, StopsAfterAFewLongWaitsAndGoesOnAfterAFewShortOnes) {
  Loop loop;
  loop.Wait(5'000, kShort);
  EXPECT_LT(loop.Wait(100, 50 * kMillisecond), 4);
  loop.Wait(5'000, kShort);
  EXPECT_EQ(loop.Wait(1'000, kShort), 1'000);
}

TEST(PollingTest, WaitsForAnswersAreToldApartFromWaitsForCalls) {
  Loop loop;
  int for_calls = 0, for_answers = 0;
  for (int i = 0; i < 1'000; ++i) {
    for_calls += loop.Wait(1, 10 * kMillisecond, 0);
    for_answers += loop.Wait(1, kShort, 1);
  }
  EXPECT_LT(for_calls, 4);
  EXPECT_GT(for_answers, 950);
}

TEST(PollingTest, InVainItPollsForASmallPartOfTheTimeAtMost) {
  Loop loop;
  while (loop.now < 10 * kSecond) {  // long ones now and then, so that it goes on expecting short ones
    loop.Wait(4, kShort);
    loop.Wait(1, 2 * kWindow);
  }
  EXPECT_GT(loop.polling.in_vain(), 0);
  EXPECT_LE(loop.polling.in_vain(), loop.now / Polling::kInVainShare + 4 * kWindow);
}

}  // namespace
}  // namespace skysail::net
