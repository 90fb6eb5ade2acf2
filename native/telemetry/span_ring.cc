#include "telemetry/span_ring.h"

#include <cstring>
#include <utility>

namespace skysail::telemetry {
namespace {

size_t PowerOfTwo(size_t least) {
  size_t size = 1;
  while (size < least) size *= 2;
  return size;
}

}  // namespace

void SpanRing::SetOfThisThread(std::shared_ptr<SpanRing> ring) {
  thread_local std::shared_ptr<SpanRing> held;
  held = std::move(ring);
  current_ = held.get();
}

SpanRing::SpanRing(size_t capacity)
    : mask_(PowerOfTwo(capacity) - 1), slots_(std::make_unique<Slot[]>(mask_ + 1)) {}

void SpanRing::Record(const SpanRecord& record) {
  uint64_t words[kWords] = {};
  std::memcpy(words, &record, sizeof(record));
  const uint64_t at = recorded_.load(std::memory_order_relaxed);
  Slot& slot = slots_[at & mask_];
  slot.turn.store(2 * at + 1, std::memory_order_relaxed);
  // A reader that sees one of these sees the odd turn as well.
  for (size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.turn.store(2 * at + 2, std::memory_order_release);
  recorded_.store(at + 1, std::memory_order_release);
}

uint64_t SpanRing::ReadFrom(uint64_t* position, std::vector<SpanRecord>* out) const {
  const uint64_t end = recorded_.load(std::memory_order_acquire);
  uint64_t missed = 0;
  if (end - *position > mask_ + 1) {
    missed = end - *position - (mask_ + 1);
    *position = end - (mask_ + 1);
  }
  for (; *position < end; ++*position) {
    const Slot& slot = slots_[*position & mask_];
    uint64_t words[kWords];
    const uint64_t turn = slot.turn.load(std::memory_order_acquire);
    for (size_t i = 0; i < kWords; ++i) words[i] = slot.words[i].load(std::memory_order_acquire);
    if (turn != 2 * *position + 2 || slot.turn.load(std::memory_order_relaxed) != turn) {
      ++missed;
      continue;
    }
    SpanRecord record;
    std::memcpy(static_cast<void*>(&record), words, sizeof(record));
    out->push_back(record);
  }
  return missed;
}

}  // namespace skysail::telemetry
