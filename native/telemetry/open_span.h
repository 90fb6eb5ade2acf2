// A span that is under way: what is kept of it until it ends and may be recorded.
//
// Whether a span is recorded is decided at its end: where its trace is sampled, and where it ended badly. So a
// call that is neither costs an id and a comparison for each service, and no reading of a clock.
#ifndef SKYSAIL_TELEMETRY_OPEN_SPAN_H_
#define SKYSAIL_TELEMETRY_OPEN_SPAN_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "telemetry/span_ids.h"
#include "telemetry/span_record.h"
#include "telemetry/span_ring.h"

namespace skysail::telemetry {

struct OpenSpan {
  TraceId trace;
  SpanId span = 0, parent = 0;  // no span: none is under way
  TimeNs start = 0;
  bool sampled = false;

  // Begins one under `context`, which what follows then stands under. None where this thread records none, or
  // the call belongs to no trace.
  static OpenSpan Begin(TraceContext* context, TimeNs start) {
    OpenSpan open;
    if (SpanRing::OfThisThread() == nullptr || !context->trace) return open;
    open.trace = context->trace;
    open.span = NewId();
    open.parent = std::exchange(context->span, open.span);
    open.start = start;
    open.sampled = context->sampled();
    return open;
  }

  // Whether it is to be recorded, having ended like this.
  bool Wanted(ErrorKind status) const {
    return span != 0 && (sampled || status != ErrorKind::kOk);
  }
  SpanRecord Ended(Stage stage, ErrorKind status, TimeNs end) const {
    SpanRecord record;
    record.trace = trace;
    record.span = span;
    record.parent = parent;
    record.start = start;
    record.end = end;
    record.stage = stage;
    record.status = status;
    record.flags = sampled ? SpanRecord::kSampled : 0;
    return record;
  }
};

// One that is over as it is recorded, and that nothing stands under.
inline SpanRecord PartOf(const TraceContext& context, Stage stage, ErrorKind status, TimeNs start,
                         TimeNs end) {
  const OpenSpan span{context.trace, NewId(), context.span, start, context.sampled()};
  return span.Ended(stage, status, end);
}

// Microseconds left at `now`, for SpanRecord::deadline_left_us.
inline int32_t DeadlineLeftUs(TimeNs deadline, TimeNs now) {
  if (deadline == kNever) return -1;
  return static_cast<int32_t>(std::clamp<TimeNs>((deadline - now) / kMicrosecond, 0, INT32_MAX));
}

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_OPEN_SPAN_H_
