// What a loop does between its events when it may poll: nothing may be missed, nothing be late.
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include "net/event_loop.h"
#include "net/polling.h"

namespace skysail::net {
namespace {

// So long that a test which waits for the end of a window fails by its own limit.
constexpr TimeNs kEndless = 3600 * kSecond;

// More than one, or nothing would be polled, whatever this machine has.
constexpr int kCores = 2;

// Believes the machine to be idle, and does not look.
Polling Eager(TimeNs window) {
  Polling polling(window, kCores);
  polling.TellIdleTime(kNever / 2, 0);
  polling.TellIdleTime(kNever / 2 + 1, kSecond);
  return polling;
}

struct Counter final : IoHandler {
  explicit Counter(int fd) : fd(fd) {}
  void OnReady(uint32_t) override {
    eventfd_t count;
    eventfd_read(fd, &count);
    ++events;
  }
  const int fd;
  std::atomic<int> events{0};
};

void MakeEventful(EventLoop& loop) {
  loop.Post([] {});
  loop.RunOnce(0);
}

TEST(EventLoopPollTest, PolledLoopSeesDescriptorsAsTheyBecomeReady) {
  const int fd = eventfd(0, EFD_NONBLOCK);
  Counter counter(fd);
  LoopThreads loops(1, Eager(kEndless));
  loops.Start();
  std::promise<void> watched;
  loops.loop(0).Post([&] {
    loops.loop(0).Watch(fd, EPOLLIN, &counter);
    watched.set_value();
  });
  watched.get_future().wait();
  for (int i = 1; i <= 200; ++i) {
    eventfd_write(fd, 1);
    while (counter.events < i) std::this_thread::yield();
  }
  std::promise<void> unwatched;
  loops.loop(0).Post([&] {
    loops.loop(0).Unwatch(fd);
    unwatched.set_value();
  });
  unwatched.get_future().wait();
  loops.Stop();
  close(fd);
}

// A loop that polls announces no sleep, so a post wakes nobody: it must be found.
TEST(EventLoopPollTest, TasksPostedWhileItPollsOrFallsAsleepRun) {
  for (const TimeNs window : {kEndless, 50 * kMicrosecond}) {
    LoopThreads loops(1, Eager(window));
    loops.Start();
    std::atomic<int> ran{0};
    for (int i = 1; i <= 2'000; ++i) {
      loops.loop(0).Post([&ran] { ++ran; });
      while (ran < i) std::this_thread::yield();
      // Now and then about as long as the window, so that posts meet the way from polling to sleep.
      const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(i % 80);
      while (std::chrono::steady_clock::now() < until) {
      }
    }
    loops.Stop();
    EXPECT_EQ(ran, 2'000);
  }
}

TEST(EventLoopPollTest, TimersFireWhileItPolls) {
  EventLoop loop(Eager(kEndless));
  bool fired = false;
  Timer timer([&] { fired = true; });
  timer.Set(loop, SystemClock::Get().Now() + 5 * kMillisecond);
  MakeEventful(loop);
  while (!fired) loop.RunOnce(kNever);  // ends only because the timer ends the polling
}

TEST(EventLoopPollTest, StopEndsPolling) {
  LoopThreads loops(1, Eager(kEndless));
  loops.Start();
  loops.Stop();  // returns
}

TEST(EventLoopPollTest, PollsOnceAfterAnEventAndThenSleeps) {
  EventLoop loop(Eager(kMillisecond));
  loop.RunOnce(kMillisecond);  // nothing has happened yet
  EXPECT_EQ(loop.PolledInVain(), 0);
  MakeEventful(loop);
  EXPECT_EQ(loop.PolledInVain(), 0);
  loop.RunOnce(2 * kMillisecond);
  const TimeNs polled = loop.PolledInVain();
  EXPECT_GE(polled, kMillisecond / 2);
  loop.RunOnce(2 * kMillisecond);  // nothing has happened since
  EXPECT_EQ(loop.PolledInVain(), polled);
}

TEST(EventLoopPollTest, AsManyCallsAsCoresEndPolling) {
  EventLoop loop(Eager(kMillisecond));
  loop.CountCalls(kCores);
  MakeEventful(loop);
  loop.RunOnce(2 * kMillisecond);
  EXPECT_EQ(loop.PolledInVain(), 0);
  loop.CountCalls(-1);
  loop.RunOnce(2 * Polling::kQuiet);
  MakeEventful(loop);
  loop.RunOnce(2 * kMillisecond);
  EXPECT_GT(loop.PolledInVain(), 0);
}

TEST(EventLoopPollTest, LoopsOfAProcessLeaveACoreUnpolled) {
  LoopThreads other(1, Eager(kEndless));
  other.Start();
  std::promise<void> ran;
  other.loop(0).Post([&ran] { ran.set_value(); });
  ran.get_future().wait();  // from here on it polls
  EventLoop loop(Eager(kMillisecond));
  TimeNs polled = kNever;
  for (int i = 0; i < 1'000 && polled != 0; ++i) {  // the other may not have got so far at first
    const TimeNs before = loop.PolledInVain();
    MakeEventful(loop);
    loop.RunOnce(2 * kMillisecond);
    polled = loop.PolledInVain() - before;
  }
  EXPECT_EQ(polled, 0);
  other.Stop();
  EventLoop next(Eager(kMillisecond));
  MakeEventful(next);
  next.RunOnce(2 * kMillisecond);
  EXPECT_GT(next.PolledInVain(), 0);
}

}  // namespace
}  // namespace skysail::net
