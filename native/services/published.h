// A value that is published whole and read by loop threads without a lock.
//
// Each loop keeps its own reference; a reader compares one number with the latest and takes the
// mutex only on the first read after a change. A reader sees every value published before its read.
#ifndef SKYSAIL_SERVICES_PUBLISHED_H_
#define SKYSAIL_SERVICES_PUBLISHED_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "net/event_loop.h"

namespace skysail::services {

template <typename T>
class Published {
 public:
  Published(net::LoopThreads& loops, std::shared_ptr<const T> first)
      : slots_(static_cast<size_t>(loops.size())), latest_(std::move(first)) {
    for (int i = 0; i < loops.size(); ++i) slots_[static_cast<size_t>(i)].loop = &loops.loop(i);
  }

  // Any thread.
  void Publish(std::shared_ptr<const T> value) {
    std::lock_guard<std::mutex> lock(mu_);
    latest_ = std::move(value);
    generation_.fetch_add(1, std::memory_order_release);
  }
  // Any thread; takes the mutex.
  std::shared_ptr<const T> Latest() const {
    std::lock_guard<std::mutex> lock(mu_);
    return latest_;
  }
  // On the thread of `loop`, which must be one of those given at construction. The reference holds
  // until the next Get on that loop.
  const std::shared_ptr<const T>& Get(const net::EventLoop& loop) {
    Slot& slot = SlotOf(loop);
    if (slot.generation != generation_.load(std::memory_order_acquire)) {
      std::lock_guard<std::mutex> lock(mu_);
      slot.value = latest_;
      slot.generation = generation_.load(std::memory_order_relaxed);
    }
    return slot.value;
  }

 private:
  struct alignas(64) Slot {
    const net::EventLoop* loop = nullptr;
    uint64_t generation = 0;  // 0 is never a generation: the first read takes the value
    std::shared_ptr<const T> value;
  };
  Slot& SlotOf(const net::EventLoop& loop) {
    size_t i = 0;
    while (slots_[i].loop != &loop) ++i;
    return slots_[i];
  }

  std::vector<Slot> slots_;
  std::atomic<uint64_t> generation_{1};
  mutable std::mutex mu_;
  std::shared_ptr<const T> latest_;  // guarded by mu_
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_PUBLISHED_H_
