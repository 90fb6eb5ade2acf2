#include "net/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "net/timer_heap.h"

namespace skysail::net {
namespace {

TEST(TimerHeapTest, AgreesWithASortedSetUnderRandomUse) {
  struct Item {
    TimeNs at_ = 0;
    size_t slot_ = 0;
  };
  std::mt19937 random(3);
  std::vector<Item> items(200);
  std::vector<bool> armed(items.size(), false);
  TimerHeap<Item> heap;
  std::multiset<TimeNs> model;
  for (int step = 0; step < 20'000; ++step) {
    const size_t i = random() % items.size();
    if (armed[i]) {
      heap.Remove(&items[i]);
      model.erase(model.find(items[i].at_));
    } else {
      items[i].at_ = static_cast<TimeNs>(random() % 1000);
      heap.Insert(&items[i]);
      model.insert(items[i].at_);
    }
    armed[i] = !armed[i];
    ASSERT_EQ(heap.size(), model.size());
    ASSERT_EQ(heap.earliest(), model.empty() ? kNever : *model.begin());
  }
}

TEST(EventLoopTest, TimersFireInOrderAndNotBeforeTheirTime) {
  EventLoop loop;
  std::vector<int> fired;
  Timer late([&] { fired.push_back(2); });
  Timer early([&] { fired.push_back(1); });
  Timer never([&] { fired.push_back(3); });
  const TimeNs began = SystemClock::Get().Now();
  late.Set(loop, began + 20 * kMillisecond);
  early.Set(loop, began + 10 * kMillisecond);
  never.Set(loop, began + 15 * kMillisecond);
  never.Cancel();
  while (fired.size() < 2) loop.RunOnce(kNever);
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  EXPECT_GE(SystemClock::Get().Now() - began, 20 * kMillisecond);
  EXPECT_FALSE(late.armed());
}

TEST(EventLoopTest, TimerMayDestroyItselfAndOthersWhenItFires) {
  EventLoop loop;
  std::unique_ptr<Timer> other = std::make_unique<Timer>([] { FAIL(); });
  std::unique_ptr<Timer> self;
  bool fired = false;
  self = std::make_unique<Timer>([&] {
    fired = true;
    other.reset();
    self.reset();
  });
  self->Set(loop, 1);
  other->Set(loop, 2);
  loop.RunOnce(0);
  EXPECT_TRUE(fired);
}

TEST(EventLoopTest, PostedTasksRunInOrderOnTheLoopsThread) {
  LoopThreads loops(1);
  loops.Start();
  std::vector<int> ran;
  std::atomic<bool> done{false};
  for (int i = 0; i < 1000; ++i) {
    loops.loop(0).Post([&, i] {
      EXPECT_TRUE(loops.loop(0).InLoopThread());
      ran.push_back(i);
      if (i == 999) done = true;
    });
  }
  while (!done) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(ran[i], i);
  EXPECT_FALSE(loops.loop(0).InLoopThread());
}

TEST(EventLoopTest, TasksPostedBeforeStopRun) {
  LoopThreads loops(1);
  loops.Start();
  int ran = 0;
  for (int i = 0; i < 100; ++i) loops.loop(0).Post([&ran] { ++ran; });
  loops.Stop();
  EXPECT_EQ(ran, 100);
}

TEST(EventLoopTest, FlushRunsOncePerTurnHoweverOftenAskedFor) {
  struct Counting final : Flushable {
    void Flush() override { ++flushes; }
    int flushes = 0;
  } counting;
  EventLoop loop;
  loop.FlushAtEndOfTurn(&counting);
  loop.FlushAtEndOfTurn(&counting);
  loop.RunOnce(kNever);  // does not wait: there is work
  EXPECT_EQ(counting.flushes, 1);
  loop.FlushAtEndOfTurn(&counting);
  loop.ForgetFlush(&counting);
  loop.RunOnce(0);
  EXPECT_EQ(counting.flushes, 1);
}

TEST(EventLoopTest, EventOfADescriptorClosedInTheSameTurnIsNotDelivered) {
  int first[2], second[2];
  ASSERT_EQ(pipe(first), 0);
  ASSERT_EQ(pipe(second), 0);
  EventLoop loop;
  struct Closer final : IoHandler {
    void OnReady(uint32_t) override {
      ++calls;
      loop->Unwatch(own);
      loop->Unwatch(victim);  // it was ready in this turn, too
    }
    EventLoop* loop;
    int own, victim;
    int calls = 0;
  } a, b;
  a.loop = b.loop = &loop;
  a.own = b.victim = first[0];
  a.victim = b.own = second[0];
  loop.Watch(first[0], EPOLLIN, &a);
  loop.Watch(second[0], EPOLLIN, &b);
  ASSERT_EQ(write(first[1], "x", 1), 1);
  ASSERT_EQ(write(second[1], "x", 1), 1);
  loop.RunOnce(kNever);
  EXPECT_EQ(a.calls + b.calls, 1);
  for (const int fd : {first[0], first[1], second[0], second[1]}) close(fd);
}

TEST(EventLoopTest, IdleLoopUsesNoProcessorTime) {
  LoopThreads loops(1);
  loops.Start();
  Timer far([] {});
  std::atomic<bool> set{false};
  loops.loop(0).Post([&] {
    far.Set(loops.loop(0), SystemClock::Get().Now() + 3600 * kSecond);
    set = true;
  });
  while (!set) std::this_thread::yield();
  timespec before{}, after{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const TimeNs used =
      (after.tv_sec - before.tv_sec) * kSecond + (after.tv_nsec - before.tv_nsec);
  EXPECT_LT(used, 10 * kMillisecond);
  loops.loop(0).Post([&far] { far.Cancel(); });
  loops.Stop();
}

}  // namespace
}  // namespace skysail::net
