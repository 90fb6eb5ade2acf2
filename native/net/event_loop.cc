#include "net/event_loop.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/cores.h"
#include "net/timer_heap.h"

namespace skysail::net {
namespace {

constexpr int kEventsPerTurn = 128;

// A loop without its descriptors cannot run at all, and there is nobody to report to.
[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

// epoll_wait with a timeout in nanoseconds; kNever waits for ever. Kernels before 5.11 lack the
// call: there the timeout is rounded up to the next millisecond.
int Wait(int epoll_fd, epoll_event* events, TimeNs timeout) {
  static std::atomic<bool> fine_grained{true};
  if (timeout <= 0) return epoll_wait(epoll_fd, events, kEventsPerTurn, 0);
  if (timeout == kNever) return epoll_wait(epoll_fd, events, kEventsPerTurn, -1);
#ifdef SYS_epoll_pwait2
  if (fine_grained.load(std::memory_order_relaxed)) {
    timespec wait{static_cast<time_t>(timeout / kSecond), static_cast<long>(timeout % kSecond)};
    const int n = static_cast<int>(
        syscall(SYS_epoll_pwait2, epoll_fd, events, kEventsPerTurn, &wait, nullptr, size_t{0}));
    if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
    fine_grained.store(false, std::memory_order_relaxed);
  }
#endif
  const TimeNs ms = (std::min(timeout, 3600 * kSecond) + kMillisecond - 1) / kMillisecond;
  return epoll_wait(epoll_fd, events, kEventsPerTurn, static_cast<int>(ms));
}

// The right of a loop to poll: as many of a process have it at a time as leave others a core.
class Seat {
 public:
  explicit Seat(int seats) : taken_(in_use.fetch_add(1, std::memory_order_relaxed) < seats) {}
  ~Seat() { in_use.fetch_sub(1, std::memory_order_relaxed); }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  bool taken() const { return taken_; }

 private:
  static inline std::atomic<int> in_use{0};
  const bool taken_;
};

}  // namespace

struct EventLoop::Impl {
  explicit Impl(const Polling& polling) : polling(polling) {}

  // What a descriptor is watched for. The generation tells an event of this turn that was meant
  // for a descriptor closed (and perhaps reused) earlier in the same turn.
  struct Watched {
    IoHandler* handler = nullptr;
    uint32_t generation = 0;
  };

  // Constant after construction.
  int epoll_fd = -1;
  int wake_fd = -1;

  std::atomic<std::thread::id> owner{};
  std::atomic<bool> running{false};
  std::atomic<bool> stop{false};

  // Owned by the loop thread.
  TimeNs turn_time = 0;
  bool eventful = false;  // the last turn had events or tasks
  int calls = 0;          // under way
  Polling polling;
  // This wait, as `polling` wants to know it.
  struct {
    TimeNs began = kNever;  // kNever: it is of no interest
    int calls = 0;
    TimeNs in_vain = 0;
  } wait;
  TimerHeap<Timer> timers;
  std::vector<Watched> watched;  // by descriptor
  std::vector<Flushable*> flushes;
  std::vector<Flushable*> flushing;  // the round being run; entries are nulled when forgotten
  std::vector<Task> tasks;

  std::mutex mu;
  std::vector<Task> posted;  // guarded by mu
  bool sleeping = false;     // guarded by mu: the loop waits and must be woken

  void Control(int operation, int fd, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = (uint64_t{watched[fd].generation} << 32) | static_cast<uint32_t>(fd);
    if (epoll_ctl(epoll_fd, operation, fd, &event) != 0) Die("epoll_ctl");
  }
  void FireTimers() {
    while (timers.earliest() <= turn_time) {
      Timer* timer = timers.front();
      timers.Remove(timer);
      timer->loop_ = nullptr;
      timer->fire_();
    }
  }
  void RunTasks() {
    for (Task& task : tasks) {
      Task running_task = std::move(task);
      running_task();
    }
    tasks.clear();
  }
  void RunFlushes() {
    while (!flushes.empty()) {
      flushing.swap(flushes);
      for (size_t i = 0; i < flushing.size(); ++i) {
        Flushable* flushable = flushing[i];
        if (flushable == nullptr) continue;
        flushing[i] = nullptr;
        flushable->flush_pending_ = false;
        flushable->Flush();
      }
      flushing.clear();
    }
  }
  // Looks for events without sleeping, for as long as that is expected to pay and nothing else is to be
  // done; returns their number. Posted tasks end it: nobody announces a sleep here, so Post wakes nobody.
  int Poll(epoll_event* events, TimeNs limit) {
    wait = {};
    if (!eventful || limit <= 0 || !flushes.empty()) return 0;
    if (!polling.Considers(turn_time, calls)) return 0;
    TimeNs now = SystemClock::Get().Now();
    wait.began = now;
    wait.calls = calls;
    if (polling.WantsIdleTime(now)) polling.TellIdleTime(now, IdleTime());
    const TimeNs window = std::min(polling.Window(now, calls), limit);
    if (window <= 0) return 0;
    const Seat seat(polling.cores() - 1);
    if (!seat.taken()) return 0;
    for (const TimeNs until = std::min(now + window, timers.earliest()); now < until;) {
      const int ready = epoll_wait(epoll_fd, events, kEventsPerTurn, 0);
      if (ready > 0) return ready;
      if (HasTasks()) return 0;
      sched_yield();  // others may need this core, perhaps the very one whose answer is awaited
      now = SystemClock::Get().Now();
    }
    wait.in_vain = now - wait.began;
    return 0;
  }
  // What a wait that has ended tells about the next one.
  void LearnFromWait() {
    if (wait.began == kNever) return;
    polling.Waited(wait.calls, turn_time - wait.began, wait.in_vain);
  }
  bool HasTasks() {
    std::lock_guard<std::mutex> lock(mu);
    return !posted.empty() || stop.load(std::memory_order_relaxed);
  }
  // How long the coming wait may take; announces the sleep under the lock that Post takes.
  TimeNs PrepareToSleep(TimeNs limit) {
    if (!flushes.empty()) return 0;
    std::lock_guard<std::mutex> lock(mu);
    if (!posted.empty() || stop.load(std::memory_order_relaxed)) return 0;
    if (timers.earliest() != kNever) {
      limit = std::min(limit, timers.earliest() - SystemClock::Get().Now());
    }
    sleeping = limit > 0;
    return limit;
  }
  void TakeTasks() {
    std::lock_guard<std::mutex> lock(mu);
    sleeping = false;
    tasks.swap(posted);
  }
};

EventLoop::EventLoop(const Polling& polling) : impl_(std::make_unique<Impl>(polling)) {
  impl_->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  impl_->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (impl_->epoll_fd < 0 || impl_->wake_fd < 0) Die("event loop");
  impl_->turn_time = SystemClock::Get().Now();
  impl_->watched.resize(static_cast<size_t>(impl_->wake_fd) + 64);
  impl_->Control(EPOLL_CTL_ADD, impl_->wake_fd, EPOLLIN);
}

EventLoop::~EventLoop() {
  // Tasks that never ran may own objects that disarm timers or unwatch descriptors as they go.
  impl_->owner.store(std::this_thread::get_id(), std::memory_order_release);
  impl_->TakeTasks();
  impl_->tasks.clear();
  impl_->RunFlushes();  // connections that were closed in the last turn end here
  impl_->TakeTasks();
  impl_->tasks.clear();
  close(impl_->wake_fd);
  close(impl_->epoll_fd);
}

void EventLoop::Run() {
  impl_->owner.store(std::this_thread::get_id(), std::memory_order_release);
  impl_->running.store(true, std::memory_order_release);
  while (!impl_->stop.load(std::memory_order_acquire)) RunOnce(kNever);
  RunOnce(0);
  impl_->stop.store(false, std::memory_order_release);
  impl_->running.store(false, std::memory_order_release);
}

void EventLoop::Stop() {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(impl_->mu);
    impl_->stop.store(true, std::memory_order_release);
    wake = std::exchange(impl_->sleeping, false);
  }
  if (wake) eventfd_write(impl_->wake_fd, 1);
}

void EventLoop::RunOnce(TimeNs wait_ns) {
  Impl& loop = *impl_;
  if (!InLoopThread()) {
    loop.owner.store(std::this_thread::get_id(), std::memory_order_release);
  }
  epoll_event events[kEventsPerTurn];
  int ready = loop.Poll(events, wait_ns);
  if (ready == 0) ready = Wait(loop.epoll_fd, events, loop.PrepareToSleep(wait_ns));
  if (ready < 0 && errno != EINTR) Die("epoll_wait");
  loop.turn_time = SystemClock::Get().Now();
  loop.LearnFromWait();
  loop.TakeTasks();
  loop.eventful = ready > 0 || !loop.tasks.empty();
  for (int i = 0; i < ready; ++i) {
    const auto fd = static_cast<uint32_t>(events[i].data.u64);
    const auto generation = static_cast<uint32_t>(events[i].data.u64 >> 32);
    if (static_cast<int>(fd) == loop.wake_fd) {
      eventfd_t count;
      eventfd_read(loop.wake_fd, &count);
      continue;
    }
    const Impl::Watched watched = loop.watched[fd];
    if (watched.handler != nullptr && watched.generation == generation) {
      watched.handler->OnReady(events[i].events);
    }
  }
  loop.FireTimers();
  loop.RunTasks();
  loop.RunFlushes();
}

bool EventLoop::InLoopThread() const {
  return impl_->owner.load(std::memory_order_acquire) == std::this_thread::get_id();
}

bool EventLoop::running() const { return impl_->running.load(std::memory_order_acquire); }

void EventLoop::Post(Task task) {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(impl_->mu);
    impl_->posted.push_back(std::move(task));
    wake = std::exchange(impl_->sleeping, false);
  }
  if (wake) eventfd_write(impl_->wake_fd, 1);
}

void EventLoop::Dispatch(Task task) {
  if (InLoopThread()) {
    task();
  } else {
    Post(std::move(task));
  }
}

void EventLoop::Watch(int fd, uint32_t events, IoHandler* handler) {
  auto& watched = impl_->watched;
  if (static_cast<size_t>(fd) >= watched.size()) watched.resize(static_cast<size_t>(fd) * 2 + 1);
  watched[fd].handler = handler;
  ++watched[fd].generation;
  impl_->Control(EPOLL_CTL_ADD, fd, events);
}

void EventLoop::Rewatch(int fd, uint32_t events, IoHandler* handler) {
  impl_->watched[fd].handler = handler;
  impl_->Control(EPOLL_CTL_MOD, fd, events);
}

void EventLoop::Unwatch(int fd) {
  impl_->watched[fd].handler = nullptr;
  impl_->Control(EPOLL_CTL_DEL, fd, 0);
}

void EventLoop::FlushAtEndOfTurn(Flushable* flushable) {
  if (flushable->flush_pending_) return;
  flushable->flush_pending_ = true;
  impl_->flushes.push_back(flushable);
}

void EventLoop::ForgetFlush(Flushable* flushable) {
  if (!flushable->flush_pending_) return;
  flushable->flush_pending_ = false;
  auto& flushes = impl_->flushes;
  flushes.erase(std::remove(flushes.begin(), flushes.end(), flushable), flushes.end());
  std::replace(impl_->flushing.begin(), impl_->flushing.end(), flushable,
               static_cast<Flushable*>(nullptr));
}

TimeNs EventLoop::TurnTime() const { return impl_->turn_time; }

void EventLoop::CountCalls(int change) { impl_->calls += change; }

TimeNs EventLoop::PolledInVain() const { return impl_->polling.in_vain(); }

Timer::~Timer() { Cancel(); }

void Timer::Set(EventLoop& loop, TimeNs at) {
  Cancel();
  if (at == kNever) return;
  at_ = at;
  loop_ = &loop;
  loop.impl_->timers.Insert(this);
}

void Timer::Cancel() {
  if (loop_ == nullptr) return;
  loop_->impl_->timers.Remove(this);
  loop_ = nullptr;
}

}  // namespace skysail::net
