// Monotonic time. Every deadline is an instant of this clock; none is ever sent over a wire.
#ifndef SKYSAIL_BASE_CLOCK_H_
#define SKYSAIL_BASE_CLOCK_H_

#include <atomic>
#include <chrono>
#include <cstdint>

namespace skysail {

// Nanoseconds of a monotonic clock. A plain integer keeps arithmetic, atomics and bindings simple.
using TimeNs = int64_t;
inline constexpr TimeNs kNever = INT64_MAX;
inline constexpr TimeNs kMicrosecond = 1000;
inline constexpr TimeNs kMillisecond = 1000 * kMicrosecond;
inline constexpr TimeNs kSecond = 1000 * kMillisecond;

// `delay` from `now`; what would be beyond the clock's end is never.
inline TimeNs After(TimeNs now, TimeNs delay) {
  return delay >= kNever - now ? kNever : now + delay;
}

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeNs Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimeNs Now() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  // The process-wide instance.
  static const SystemClock& Get() {
    static const SystemClock clock;
    return clock;
  }
};

// A clock that a test moves by hand. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(TimeNs now = 0) : now_(now) {}
  TimeNs Now() const override { return now_.load(std::memory_order_acquire); }
  void Advance(TimeNs by) { now_.fetch_add(by, std::memory_order_acq_rel); }

 private:
  std::atomic<TimeNs> now_;
};

}  // namespace skysail

#endif  // SKYSAIL_BASE_CLOCK_H_
