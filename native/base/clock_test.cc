#include "base/clock.h"

#include <gtest/gtest.h>

namespace skysail {
namespace {

TEST(ClockTest, SystemClockNeverGoesBack) {
  const Clock& clock = SystemClock::Get();
  TimeNs last = clock.Now();
  for (int i = 0; i < 1000; ++i) {
    const TimeNs now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, ManualClockMovesWhenTold) {
  ManualClock clock(5 * kSecond);
  EXPECT_EQ(clock.Now(), 5 * kSecond);
  clock.Advance(250 * kMillisecond);
  EXPECT_EQ(clock.Now(), 5250 * kMillisecond);
}

}  // namespace
}  // namespace skysail
