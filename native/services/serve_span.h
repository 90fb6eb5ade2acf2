// The span of a call in an inner service, as its endpoints record it.
#ifndef SKYSAIL_SERVICES_SERVE_SPAN_H_
#define SKYSAIL_SERVICES_SERVE_SPAN_H_

#include "base/clock.h"
#include "services/infer_call.h"
#include "telemetry/open_span.h"

namespace skysail::services {

// `arrived`: about when, which is good enough for one that is recorded only where it ends badly.
inline telemetry::OpenSpan BeginServe(TraceContext* trace, TimeNs arrived) {
  return telemetry::OpenSpan::Begin(trace, trace->sampled() ? SystemClock::Get().Now() : arrived);
}
// Requires span.Wanted(response.status.kind()).
inline void RecordServe(const telemetry::OpenSpan& span, const InferResponse& response,
                        TimeNs deadline) {
  telemetry::SpanRecord record = span.Ended(telemetry::Stage::kServe, response.status.kind(),
                                            SystemClock::Get().Now());
  record.cache = static_cast<uint8_t>(response.cache);
  record.deadline_left_us = telemetry::DeadlineLeftUs(deadline, span.start);
  telemetry::SpanRing::OfThisThread()->Record(record);
}

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_SERVE_SPAN_H_
