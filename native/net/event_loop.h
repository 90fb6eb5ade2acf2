// One thread's epoll loop: descriptors, timers, tasks posted from other threads, and work put off
// to the end of the turn (so that many small messages share one write).
//
// A turn is: wait; ready descriptors; due timers; posted tasks; deferred flushes (repeated until
// none is left). Everything runs on the loop's thread; only Post, Stop and InLoopThread may be
// called from others. An idle loop sleeps in the kernel. One that expects its next event at once may
// poll for it first (net/polling.h), giving way to others on its core.
#ifndef SKYSAIL_NET_EVENT_LOOP_H_
#define SKYSAIL_NET_EVENT_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "net/polling.h"

namespace skysail::net {

class EventLoop;
template <typename Item>
class TimerHeap;

// Called when a watched descriptor is ready; `events` are EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR.
class IoHandler {
 public:
  virtual void OnReady(uint32_t events) = 0;

 protected:
  ~IoHandler() = default;
};

// Work put off to the end of the turn; runs once per turn however often it was asked for.
class Flushable {
 public:
  virtual void Flush() = 0;

 protected:
  ~Flushable() = default;

 private:
  friend class EventLoop;
  bool flush_pending_ = false;
};

// An instant at which `fire` runs. Embedded in the object that waits: arming allocates nothing
// beyond the loop's heap slot, and O(log n). Destroying it disarms it. Loop thread only.
class Timer {
 public:
  explicit Timer(std::function<void()> fire) : fire_(std::move(fire)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Arms for `at` (re-arms when already armed). kNever disarms.
  void Set(EventLoop& loop, TimeNs at);
  void Cancel();
  bool armed() const { return loop_ != nullptr; }
  TimeNs at() const { return armed() ? at_ : kNever; }

 private:
  friend class EventLoop;
  template <typename Item>
  friend class TimerHeap;
  std::function<void()> fire_;
  EventLoop* loop_ = nullptr;
  TimeNs at_ = 0;
  size_t slot_ = 0;
};

class EventLoop {
 public:
  using Task = std::function<void()>;

  // `polling`: when to look for the next event before sleeping; never, unless told.
  explicit EventLoop(const Polling& polling = {});
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs until Stop. The calling thread becomes the loop's thread. Tasks posted before Stop run.
  void Run();
  void Stop();
  // Runs one turn, waiting at most `wait_ns` (for tests and for drains).
  void RunOnce(TimeNs wait_ns);
  bool InLoopThread() const;
  // A thread is inside Run. Any thread may ask.
  bool running() const;

  // Runs `task` on the loop's thread, in the order of posting.
  void Post(Task task);
  // Runs `task` now when already on the loop's thread, else posts it.
  void Dispatch(Task task);

  void Watch(int fd, uint32_t events, IoHandler* handler);
  void Rewatch(int fd, uint32_t events, IoHandler* handler);
  void Unwatch(int fd);
  void FlushAtEndOfTurn(Flushable* flushable);
  // Must be called by a Flushable that is destroyed while its flush is pending.
  void ForgetFlush(Flushable* flushable);

  // Calls that are answered on this loop have begun (positive) or ended; polling looks at their number.
  void CountCalls(int change);

  // The time at which this turn began; cheap. Use SystemClock where microseconds matter.
  TimeNs TurnTime() const;
  // How long it has polled in vain since it was made. Loop thread only.
  TimeNs PolledInVain() const;

 private:
  friend class Timer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// N loops, each on a thread of its own. Stop joins them.
class LoopThreads {
 public:
  explicit LoopThreads(int threads, const Polling& polling = {});
  ~LoopThreads();
  void Start();
  void Stop();
  // Stop was called: what is posted from now on never runs. Thread-safe.
  bool stopped() const;
  int size() const;
  EventLoop& loop(int i);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_EVENT_LOOP_H_
