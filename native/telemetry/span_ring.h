// Where a loop thread leaves the spans that it records: a ring of fixed size that it alone writes, without a
// lock and without allocating. When it is full the oldest are overwritten; a reader that is too slow counts
// what it missed.
#ifndef SKYSAIL_TELEMETRY_SPAN_RING_H_
#define SKYSAIL_TELEMETRY_SPAN_RING_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "telemetry/span_record.h"

namespace skysail::telemetry {

class SpanRing {
 public:
  // `capacity` is rounded up to a power of two.
  explicit SpanRing(size_t capacity);

  // The ring of the calling thread; null where spans are not recorded.
  static SpanRing* OfThisThread() { return current_; }
  // Gives the calling thread a ring, which it keeps until its end or the next call; null takes it away.
  static void SetOfThisThread(std::shared_ptr<SpanRing> ring);

  // The ring's thread only.
  void Record(const SpanRecord& record);

  // Any one thread at a time. Appends what was recorded since `*position`, and moves that on; returns how many
  // had been overwritten by then.
  uint64_t ReadFrom(uint64_t* position, std::vector<SpanRecord>* out) const;

 private:
  static constexpr size_t kWords = (sizeof(SpanRecord) + 7) / 8;
  // Written as a sequence lock: `turn` is odd while the words change, and tells whose they are. The words are
  // atomic, so that a reader that comes in between reads nonsense, which it then sees, but races with nobody.
  struct alignas(128) Slot {
    std::atomic<uint64_t> turn{0};
    std::array<std::atomic<uint64_t>, kWords> words{};
  };
  static_assert(sizeof(Slot) == 128);

  static inline thread_local SpanRing* current_ = nullptr;

  const size_t mask_;
  const std::unique_ptr<Slot[]> slots_;
  std::atomic<uint64_t> recorded_{0};
};

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_SPAN_RING_H_
