// Spans in the form in which OpenTelemetry's collectors take them.
// https://github.com/open-telemetry/opentelemetry-proto
#ifndef SKYSAIL_TELEMETRY_OTLP_H_
#define SKYSAIL_TELEMETRY_OTLP_H_

#include <string>
#include <utility>
#include <vector>

#include "telemetry/span_text.h"

namespace skysail::telemetry {

// What sends the spans: service.name and so on.
using Resource = std::vector<std::pair<std::string, std::string>>;

// An encoded opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest, without the spans of mates.
std::string EncodeOtlp(const Resource& resource, const std::vector<SpanText>& spans);

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_OTLP_H_
