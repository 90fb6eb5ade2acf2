#include "telemetry/otlp.h"

#include <cstring>

#include "oip/wire.h"

namespace skysail::telemetry {
namespace {

namespace wire = oip::wire;

constexpr uint64_t kErrorStatus = 2;

void AppendFixed64(std::string* out, int field, uint64_t value) {
  wire::AppendTag(out, field, wire::Type::kFixed64);
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out->append(bytes, sizeof(bytes));
}
void AppendFixed32(std::string* out, int field, uint32_t value) {
  wire::AppendTag(out, field, wire::Type::kFixed32);
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out->append(bytes, sizeof(bytes));
}
std::string BigEndian(uint64_t value) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}
void AppendTraceId(std::string* out, int field, const TraceId& id) {
  wire::AppendBytes(out, field, BigEndian(id.high) + BigEndian(id.low));
}

// A KeyValue.
std::string Attribute(std::string_view key, const SpanText::Value& value) {
  std::string any, pair;
  if (const auto* text = std::get_if<std::string>(&value)) {
    wire::AppendBytes(&any, 1, *text);
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    wire::AppendNumber(&any, 2, *truth ? 1 : 0);
  } else {
    wire::AppendNumber(&any, 3, static_cast<uint64_t>(std::get<int64_t>(value)));
  }
  wire::AppendBytes(&pair, 1, key);
  wire::AppendBytes(&pair, 2, any);
  return pair;
}

std::string Span(const SpanText& text) {
  std::string span;
  AppendTraceId(&span, 1, text.trace);
  wire::AppendBytes(&span, 2, BigEndian(text.span));
  if (text.parent != 0) wire::AppendBytes(&span, 4, BigEndian(text.parent));
  wire::AppendBytes(&span, 5, text.name);
  wire::AppendNumber(&span, 6, static_cast<uint64_t>(text.kind));
  AppendFixed64(&span, 7, static_cast<uint64_t>(text.start_unix_ns));
  AppendFixed64(&span, 8, static_cast<uint64_t>(text.end_unix_ns));
  for (const auto& [key, value] : text.attributes) wire::AppendBytes(&span, 9, Attribute(key, value));
  for (const auto& [trace, id] : text.links) {
    std::string link;
    AppendTraceId(&link, 1, trace);
    wire::AppendBytes(&link, 2, BigEndian(id));
    wire::AppendBytes(&span, 13, link);
  }
  if (!text.error.empty()) {
    std::string status;
    wire::AppendBytes(&status, 2, text.error);
    wire::AppendNumber(&status, 3, kErrorStatus);
    wire::AppendBytes(&span, 15, status);
  }
  AppendFixed32(&span, 16, text.sampled ? TraceContext::kSampled : 0);
  return span;
}

}  // namespace

std::string EncodeOtlp(const Resource& resource, const std::vector<SpanText>& spans) {
  std::string about, scope, scope_spans, resource_spans, request;
  for (const auto& [key, value] : resource) wire::AppendBytes(&about, 1, Attribute(key, value));
  wire::AppendBytes(&scope, 1, "skysail");
  wire::AppendBytes(&scope_spans, 1, scope);
  for (const SpanText& span : spans) {
    if (!span.mate) wire::AppendBytes(&scope_spans, 2, Span(span));
  }
  wire::AppendBytes(&resource_spans, 1, about);
  wire::AppendBytes(&resource_spans, 2, scope_spans);
  wire::AppendBytes(&request, 1, resource_spans);
  return request;
}

}  // namespace skysail::telemetry
