#include "net/poll_budget.h"

#include <gtest/gtest.h>

namespace skysail::net {
namespace {

constexpr TimeNs kWindow = 100 * kMicrosecond;

TEST(PollBudgetTest, WindowOfZeroNeverPolls) {
  PollBudget budget(0);
  EXPECT_EQ(budget.Window(0), 0);
  EXPECT_EQ(budget.Window(10 * PollBudget::kPeriod), 0);
}

TEST(PollBudgetTest, InVainItPollsForATenthOfTheTimeAtMost) {
  PollBudget budget(kWindow);
  TimeNs polled = 0;
  const TimeNs until = 20 * PollBudget::kPeriod;
  for (TimeNs now = 0; now < until; now += kMillisecond / 2) {  // so often that polling never pays
    const TimeNs window = budget.Window(now);
    if (window == 0) continue;
    budget.InVain(window);
    polled += window;
  }
  EXPECT_LE(polled, until / 10);
  EXPECT_GT(polled, until / 11);
}

TEST(PollBudgetTest, PollingThatPaysIsNotLimited) {
  PollBudget budget(kWindow);
  for (TimeNs now = 0; now < PollBudget::kPeriod; now += kWindow) {
    ASSERT_EQ(budget.Window(now), kWindow);
  }
}

TEST(PollBudgetTest, LoopsOfOneMachineTryAgainInTheSamePeriod) {
  PollBudget early(kWindow), late(kWindow);
  for (PollBudget* budget : {&early, &late}) {
    budget->Window(budget == &early ? 1 : PollBudget::kPeriod / 2);
    budget->InVain(PollBudget::kInVainPerPeriod);
    EXPECT_EQ(budget->Window(PollBudget::kPeriod - 1), 0);
    EXPECT_EQ(budget->Window(PollBudget::kPeriod), kWindow);
  }
}

}  // namespace
}  // namespace skysail::net
