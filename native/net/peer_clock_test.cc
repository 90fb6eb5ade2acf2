#include "net/peer_clock.h"

#include <gtest/gtest.h>

#include "net/progress.h"

namespace skysail::net {
namespace {

using Due = PeerClock::Due;

PeerLimits Limits() {
  PeerLimits limits;
  limits.handshake_timeout = 10 * kSecond;
  limits.keepalive_interval = 60 * kSecond;
  limits.keepalive_timeout = 20 * kSecond;
  limits.incomplete_timeout = 40 * kSecond;
  limits.untaken_timeout = 200 * kSecond;
  limits.idle_timeout = 3600 * kSecond;
  return limits;
}

class PeerClockTest : public ::testing::Test {
 protected:
  // Goes on to when something may be due, as a timer would, until something is.
  Due Wait() {
    for (int i = 0; i < 1000; ++i) {
      const Due due = clock.Check(now);
      if (due != Due::kNothing) return due;
      if (clock.Next() == kNever) return Due::kNothing;
      EXPECT_GT(clock.Next(), now) << "would spin";
      now = clock.Next();
    }
    return Due::kNothing;
  }
  double waited_s() const { return static_cast<double>(now - kBegan) / kSecond; }

  static constexpr TimeNs kBegan = 1000 * kSecond;
  TimeNs now = kBegan;
  PeerLimits limits = Limits();  // may be changed before Start, but for what says how often to look
  PeerClock clock{limits, true};
};

TEST_F(PeerClockTest, HandshakeHasItsTimeHoweverMuchIsHeard) {
  clock.Start(now);
  for (int i = 0; i < 9; ++i) {
    now += kSecond;
    clock.Heard(now);
    EXPECT_EQ(clock.Check(now), Due::kNothing);
  }
  EXPECT_EQ(Wait(), Due::kSlowHandshake);
  EXPECT_EQ(waited_s(), 10);
}

TEST_F(PeerClockTest, SilentPeerIsAskedAndThenGivenUp) {
  clock.Start(now);
  clock.Ready(now);
  EXPECT_EQ(Wait(), Due::kPing);
  EXPECT_EQ(waited_s(), 60);
  EXPECT_EQ(Wait(), Due::kVanished);
  EXPECT_EQ(waited_s(), 80);
}

TEST_F(PeerClockTest, PeerThatAnswersIsAskedAgainAfterTheNextSilence) {
  clock.Start(now);
  clock.Ready(now);
  EXPECT_EQ(Wait(), Due::kPing);
  now += 19 * kSecond;
  clock.Heard(now);
  EXPECT_EQ(Wait(), Due::kPing);
  EXPECT_EQ(waited_s(), 60 + 19 + 60);
}

TEST_F(PeerClockTest, PeerThatIsAskedForCallsAloneIsLeftInPeaceWithoutAny) {
  PeerClock quiet(limits, false);
  quiet.Start(now);
  quiet.Ready(now);
  now += 3000 * kSecond;
  EXPECT_EQ(quiet.Check(now), Due::kNothing);
  // A call that comes then gives it half an interval to answer before it is doubted.
  quiet.Busy(now);
  EXPECT_EQ(quiet.Next(), now + 30 * kSecond);
  EXPECT_EQ(quiet.Check(now + 30 * kSecond), Due::kPing);
}

TEST_F(PeerClockTest, IdleConnectionIsToGoAndOneWithCallsIsNot) {
  limits.keepalive_interval = 0;
  clock.Start(now);
  clock.Ready(now);
  clock.Busy(now);
  EXPECT_EQ(Wait(), Due::kNothing);
  now += 100'000 * kSecond;
  clock.Idle(now);
  const TimeNs idle = now;
  EXPECT_EQ(Wait(), Due::kIdle);
  EXPECT_EQ(now, idle + 3600 * kSecond);
  clock.Drain(now + kSecond);
  EXPECT_EQ(Wait(), Due::kLastStream);
  clock.LastStreamNamed();
  EXPECT_EQ(Wait(), Due::kNothing) << "asked to go twice";
}

TEST_F(PeerClockTest, OldConnectionIsToGoWhateverItDoes) {
  limits.max_connection_age = 600 * kSecond;
  limits.keepalive_interval = 0;
  clock.Start(now);
  clock.Ready(now);
  clock.Busy(now);
  EXPECT_EQ(Wait(), Due::kOld);
  EXPECT_EQ(waited_s(), 600);
}

TEST_F(PeerClockTest, NothingIsAskedOfTimeWhereEveryLimitIsOff) {
  limits.keepalive_interval = limits.untaken_timeout = limits.idle_timeout = 0;
  clock.Start(now);
  clock.Ready(now);
  EXPECT_EQ(Wait(), Due::kNothing);
}

TEST_F(PeerClockTest, LooksComeWhileAskedForAndNoLonger) {
  limits.keepalive_interval = 0;
  clock.Start(now);
  clock.Ready(now);
  EXPECT_TRUE(clock.Watch(now));
  EXPECT_FALSE(clock.Watch(now + kSecond)) << "put off";
  EXPECT_EQ(Wait(), Due::kLook);
  EXPECT_EQ(waited_s(), 10);
  EXPECT_EQ(Wait(), Due::kIdle);
}

TEST_F(PeerClockTest, EndOfAConnectionThatIsOverComesBeforeAnythingElse) {
  clock.Start(now);
  clock.Ready(now);
  clock.Watch(now);
  clock.Leave(now + 300 * kSecond);
  EXPECT_EQ(Wait(), Due::kEnd);
  EXPECT_EQ(waited_s(), 300);
}

// Looked at every ten seconds, with a limit of forty.
TEST(ProgressTest, WhatDoesNotGoOnIsStalledAfterTheLimitAndNotBefore) {
  Progress progress;
  TimeNs now = 0;
  for (; now < 30 * kSecond; now += 10 * kSecond) {
    EXPECT_FALSE(progress.Stalled(false, now, 40 * kSecond));
  }
  const TimeNs begun = now;
  while (!progress.Stalled(true, now, 40 * kSecond)) {
    progress.Add(100);
    now += 10 * kSecond;
  }
  EXPECT_EQ(now - begun, 40 * kSecond);
}

TEST(ProgressTest, AKiBInTheTimeOrAnEndIsEnough) {
  Progress progress;
  for (TimeNs now = 0; now < 1000 * kSecond; now += 10 * kSecond) {
    EXPECT_FALSE(progress.Stalled(true, now, 40 * kSecond)) << now / kSecond;
    progress.Add(300);
  }
  for (TimeNs now = 1000 * kSecond; now < 2000 * kSecond; now += 10 * kSecond) {
    EXPECT_FALSE(progress.Stalled(true, now, 40 * kSecond)) << now / kSecond;
    if (now % (30 * kSecond) == 0) progress.Complete();
  }
}

TEST(ProgressTest, WhatMayTakeForEverNeverStalls) {
  Progress progress;
  for (TimeNs now = 0; now < 100'000 * kSecond; now += 1000 * kSecond) {
    EXPECT_FALSE(progress.Stalled(true, now, 0));
  }
}

}  // namespace
}  // namespace skysail::net
