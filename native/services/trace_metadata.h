// Trace context in the metadata of plain Open Inference Protocol calls.
#ifndef SKYSAIL_SERVICES_TRACE_METADATA_H_
#define SKYSAIL_SERVICES_TRACE_METADATA_H_

#include "net/metadata.h"
#include "telemetry/trace_context.h"

namespace skysail::services {

// What a caller's headers state; see telemetry::ReadTrace. Several values of `tracestate` are one list; several
// of `traceparent` are malformed. Nothing else that a caller sends (such as baggage) is passed on.
telemetry::TraceContext ReadTrace(const net::Metadata& metadata);

// Adds the headers of a context; nothing when it is invalid.
void AddTrace(const telemetry::TraceContext& context, net::Metadata* metadata);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_TRACE_METADATA_H_
