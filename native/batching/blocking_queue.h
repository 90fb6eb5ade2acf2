// A BatchQueue for threads that wait: owns its items, guards them, and wakes who takes.
#ifndef SKYSAIL_BATCHING_BLOCKING_QUEUE_H_
#define SKYSAIL_BATCHING_BLOCKING_QUEUE_H_

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "batching/batch_queue.h"

namespace skysail::batching {

// Thread-safe. `Item` is movable; items are moved under the lock, never copied or destroyed there.
template <typename Item>
class BlockingQueue {
 public:
  enum class Outcome { kAccepted, kFull, kClosed };
  struct Taken {
    std::vector<Item> items, expired;
    bool closed = false;
    bool empty() const { return items.empty() && expired.empty(); }
  };

  explicit BlockingQueue(QueueOptions options, const Clock& clock = SystemClock::Get())
      : clock_(clock), queue_(options) {}
  ~BlockingQueue() {
    std::vector<QueueEntry*> left;
    queue_.TakeExpired(kNever, &left);
    for (QueueEntry* entry : left) delete static_cast<Waiting*>(entry);
  }

  // `item` is moved from only when accepted. `deadline` is an instant of the clock.
  Outcome Put(Item&& item, int64_t rows, TimeNs deadline, std::string_view group) {
    auto entry = std::make_unique<Waiting>();
    entry->rows = rows;
    entry->deadline = deadline;
    {
      std::lock_guard<std::mutex> lock(mu_);
      if (closed_) return Outcome::kClosed;
      entry->enqueued = clock_.Now();
      if (!queue_.Push(entry.get(), group)) return Outcome::kFull;
      entry.release()->item = std::move(item);
    }
    changed_.notify_one();
    return Outcome::kAccepted;
  }

  // The next batch of at most `limit` rows and what has expired, as BatchQueue::Take says. Waits at
  // most `wait` of real time for the first entry; `taken` is empty when none came, or when the
  // queue is closed and drained.
  void Take(int64_t limit, TimeNs needed, TimeNs wait, Taken* taken) {
    std::vector<QueueEntry*> batch, expired;
    {
      std::unique_lock<std::mutex> lock(mu_);
      changed_.wait_for(lock, std::chrono::nanoseconds(wait),
                        [this] { return closed_ || !queue_.empty(); });
      queue_.Take(limit, clock_.Now(), needed, &batch, &expired);
      taken->closed = closed_;
      if (!queue_.empty()) changed_.notify_one();
    }
    MoveOut(batch, &taken->items);
    MoveOut(expired, &taken->expired);
  }

  // Nothing more is accepted; what is queued can still be taken, and nobody waits any longer.
  void Close() {
    {
      std::lock_guard<std::mutex> lock(mu_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  size_t entries() const {
    std::lock_guard<std::mutex> lock(mu_);
    return queue_.entries();
  }
  int64_t rows() const {
    std::lock_guard<std::mutex> lock(mu_);
    return queue_.rows();
  }

 private:
  struct Waiting final : QueueEntry {
    Item item;
  };
  static void MoveOut(const std::vector<QueueEntry*>& from, std::vector<Item>* to) {
    to->reserve(from.size());
    for (QueueEntry* entry : from) {
      std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(entry));
      to->push_back(std::move(waiting->item));
    }
  }

  const Clock& clock_;
  mutable std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_.
  BatchQueue queue_;
  bool closed_ = false;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_BLOCKING_QUEUE_H_
