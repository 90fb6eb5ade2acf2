// A span as the request path writes it: fixed in size, with numbers for names. Text is made of it only when
// somebody reads it (telemetry/span_text.h).
#ifndef SKYSAIL_TELEMETRY_SPAN_RECORD_H_
#define SKYSAIL_TELEMETRY_SPAN_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/clock.h"
#include "base/status.h"
#include "telemetry/names.h"
#include "telemetry/trace_context.h"

namespace skysail::telemetry {

enum class Stage : uint8_t {
  kRequest,    // at the frontend, from arrival to answer
  kServe,      // in an inner service, likewise
  kSelection,  // the choice of model and version
  kCache,      // the look-up
  kQueue,      // waiting for a replica
  kFill,       // waiting for company while a replica stands free
  kRun,        // one call's part of a batch: away at the replica
  kBatch,      // a batch's call to its replica: the root of a trace of its own
  kHop,        // a call to the next service
  kStaged,     // waiting at the replica for the model
  kModel,      // the model runs
};
inline constexpr size_t kStages = 11;

// A batch is known by one number. Its span has that as its id, and its trace has an id made of it.
inline TraceId TraceOfBatch(uint64_t batch) { return {batch * 0x9e3779b97f4a7c15 | 1, batch}; }

struct SpanRecord {
  static constexpr uint8_t kSampled = 0x01;   // the trace is
  static constexpr uint8_t kKept = 0x02;      // an error, a default, or late: worth keeping whatever the rate
  static constexpr uint8_t kMate = 0x04;      // of a trace that is not kept, in a batch that is
  static constexpr uint8_t kDefault = 0x08;   // answered with the default output
  static constexpr uint8_t kRetried = 0x10;   // run once more after this

  TraceId trace;
  SpanId span = 0, parent = 0;
  TimeNs start = 0, end = 0;  // of this process's monotonic clock
  Stage stage = Stage::kRequest;
  ErrorKind status = ErrorKind::kOk;  // with kDefault: what the default stands in for
  uint8_t flags = 0;
  uint8_t cache = 0;  // services::CacheOutcome
  NameId application = 0, model = 0, version = 0, replica = 0;
  uint32_t rows = 0, limit = 0, depth = 0;
  int32_t deadline_left_us = -1;  // as the span began; negative: no deadline
  uint64_t batch = 0;
  // Of a kRequest, as told by the services behind.
  uint32_t queue_us = 0, fill_us = 0, staged_us = 0, model_us = 0, hop_us = 0;
};
static_assert(std::is_trivially_copyable_v<SpanRecord>);

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_SPAN_RECORD_H_
