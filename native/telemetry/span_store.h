// The spans that a process keeps: taken from the rings of its loops, bounded, until newer ones come.
//
// What comes in is held to a budget of spans a second. Beyond it whole traces are left out, chosen by a number
// made of their ids, so that processes that are each over their budgets keep the same ones.
#ifndef SKYSAIL_TELEMETRY_SPAN_STORE_H_
#define SKYSAIL_TELEMETRY_SPAN_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "telemetry/span_record.h"
#include "telemetry/span_ring.h"

namespace skysail::telemetry {

struct SpanStoreOptions {
  size_t ring_spans = 8192;   // of each loop; 128 bytes each
  size_t kept_spans = 16384;  // then the oldest leave; 112 bytes each
  double spans_per_s = 2000;
};

// Thread-safe; ring(i) is for the thread of loop i to write.
class SpanStore {
 public:
  SpanStore(size_t loops, SpanStoreOptions options, const Clock& clock = SystemClock::Get());

  const std::shared_ptr<SpanRing>& ring(size_t loop) const { return rings_[loop]; }

  // Takes what the rings hold. To be called often enough that they do not overflow.
  void Collect();
  // Everything that is kept, oldest first.
  std::vector<SpanRecord> All() const;
  // For an exporter: what came since the last time and is complete, `most` or a batch more. A batch's span and
  // its members' are recorded in one go, so those that an earlier Collect took are complete.
  std::vector<SpanRecord> TakeForExport(size_t most);

  struct Counts {
    uint64_t kept = 0;
    uint64_t overwritten = 0;   // in a ring, before they were taken
    uint64_t over_budget = 0;
    uint64_t not_exported = 0;  // left before an exporter took them
  };
  Counts counts() const;

 private:
  // Moves those that the budget allows to kept_. Requires mu_.
  void Admit(std::vector<SpanRecord>* taken, size_t most);

  const SpanStoreOptions options_;
  const Clock& clock_;
  std::vector<std::shared_ptr<SpanRing>> rings_;
  mutable std::mutex mu_;
  std::vector<uint64_t> positions_;   // guarded by mu_, as all below
  std::deque<SpanRecord> kept_;
  uint64_t first_ = 0;                // the number of kept_[0] among all that were ever kept
  uint64_t complete_ = 0, exported_ = 0;
  bool exporting_ = false;            // somebody takes for export
  double tokens_;
  TimeNs filled_at_;
  Counts counts_;
  std::vector<SpanRecord> taken_;     // scratch
};

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_SPAN_STORE_H_
