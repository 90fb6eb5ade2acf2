// Spans as others read them: with names, attributes and links, made of records off the request path.
#ifndef SKYSAIL_TELEMETRY_SPAN_TEXT_H_
#define SKYSAIL_TELEMETRY_SPAN_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "telemetry/span_record.h"

namespace skysail::telemetry {

enum class SpanKind : uint8_t { kInternal = 1, kServer = 2, kClient = 3 };  // as OTLP numbers them

struct SpanText {
  using Value = std::variant<bool, int64_t, std::string>;
  TraceId trace;
  SpanId span = 0, parent = 0;
  std::string_view name;
  SpanKind kind = SpanKind::kInternal;
  int64_t start_unix_ns = 0, end_unix_ns = 0;
  std::string error;  // the code; empty: none
  bool sampled = false;
  bool mate = false;       // shown beside those of its batch, and not exported
  std::vector<std::pair<std::string_view, Value>> attributes;
  std::vector<std::pair<TraceId, SpanId>> links;
};

// The name of a stage.
std::string_view StageName(Stage stage);

// What the records mean, in their order; `unix_minus_monotonic` turns their times into those of the calendar.
//
// A batch is linked to the members that are among `records`, and each of them to it.
std::vector<SpanText> ToText(const std::vector<SpanRecord>& records, TimeNs unix_minus_monotonic);

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_SPAN_TEXT_H_
