#include "telemetry/trace_context.h"

#include <algorithm>
#include <array>

namespace skysail::telemetry {
namespace {

constexpr uint8_t kKnownFlags = TraceContext::kSampled | TraceContext::kRandom;

// Lower case alone, as the standard says.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// At most 16 digits.
bool ReadHex(std::string_view digits, uint64_t* value) {
  uint64_t read = 0;
  for (const char c : digits) {
    const int digit = HexDigit(c);
    if (digit < 0) return false;
    read = read << 4 | static_cast<uint64_t>(digit);
  }
  *value = read;
  return true;
}

char* PutHex(char* out, uint64_t value, int digits) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *out++ = kDigits[value >> shift & 15];
  return out;
}

char* PutBigEndian(char* out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}
uint64_t ReadBigEndian(const char* from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(from[i]);
  return value;
}

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// A part of a key: of at most `most` characters, the first of them a letter, or a digit where `digit_first`.
bool IsKeyPart(std::string_view part, size_t most, bool digit_first) {
  if (part.empty() || part.size() > most || !IsLowerOrDigit(part[0])) return false;
  if (!digit_first && part[0] <= '9') return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return IsLowerOrDigit(c) || c == '_' || c == '-' || c == '*' || c == '/';
  });
}
bool IsKey(std::string_view key) {
  const size_t at = key.find('@');
  if (at == std::string_view::npos) return IsKeyPart(key, 256, true);
  return IsKeyPart(key.substr(0, at), 241, true) && IsKeyPart(key.substr(at + 1), 14, false);
}
bool IsValue(std::string_view value) {
  return !value.empty() && value.size() <= 256 && value.back() != ' ' &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

TraceFaults& TraceFaults::Get() {
  static TraceFaults faults;
  return faults;
}

bool ParseTraceparent(std::string_view text, TraceContext* context) {
  uint64_t version, high, low, span, flags;
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
      !ReadHex(text.substr(0, 2), &version) || !ReadHex(text.substr(3, 16), &high) ||
      !ReadHex(text.substr(19, 16), &low) || !ReadHex(text.substr(36, 16), &span) ||
      !ReadHex(text.substr(53, 2), &flags)) {
    return false;
  }
  if (version == 0xff || (high | low) == 0 || span == 0) return false;
  if (text.size() > kTraceparentSize && (version == 0 || text[kTraceparentSize] != '-')) return false;
  context->trace = {high, low};
  context->span = span;
  context->flags = static_cast<uint8_t>(flags) & kKnownFlags;
  return true;
}

bool IsTracestate(std::string_view text) {
  if (text.size() > kMaxTracestateBytes) return false;
  std::array<std::string_view, kMaxTracestateMembers> keys;
  size_t members = 0;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view member = Trimmed(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    if (member.empty()) continue;
    const size_t equals = member.find('=');
    if (equals == std::string_view::npos || members == kMaxTracestateMembers) return false;
    const std::string_view key = member.substr(0, equals);
    if (!IsKey(key) || !IsValue(member.substr(equals + 1))) return false;
    if (std::find(keys.begin(), keys.begin() + members, key) != keys.begin() + members) return false;
    keys[members++] = key;
  }
  return true;
}

TraceContext ReadTrace(std::string_view traceparent, std::string_view tracestate) {
  TraceContext context;
  if (traceparent.empty()) return context;  // a state without a parent says nothing
  if (!ParseTraceparent(traceparent, &context)) {
    TraceFaults::Get().traceparents.Add();
  } else if (!IsTracestate(tracestate)) {
    TraceFaults::Get().tracestates.Add();
  } else {
    context.state = tracestate;
  }
  return context;
}

void FormatTraceparent(const TraceContext& context, char* out) {
  *out++ = '0';
  *out++ = '0';
  *out++ = '-';
  FormatTraceId(context.trace, out);
  out += 32;
  *out++ = '-';
  FormatSpanId(context.span, out);
  out += 16;
  *out++ = '-';
  PutHex(out, context.flags & kKnownFlags, 2);
}

void FormatTraceId(const TraceId& id, char* out) { PutHex(PutHex(out, id.high, 16), id.low, 16); }
void FormatSpanId(SpanId id, char* out) { PutHex(out, id, 16); }

void PutBinaryTrace(const TraceContext& context, char* out) {
  out = PutBigEndian(out, context.trace.high);
  out = PutBigEndian(out, context.trace.low);
  out = PutBigEndian(out, context.span);
  *out = static_cast<char>(context.flags);
}

bool ReadBinaryTrace(std::string_view bytes, TraceContext* context) {
  if (bytes.size() != kBinaryTraceSize) return false;
  const TraceId trace{ReadBigEndian(bytes.data()), ReadBigEndian(bytes.data() + 8)};
  const SpanId span = ReadBigEndian(bytes.data() + 16);
  if (!trace || span == 0) return false;
  context->trace = trace;
  context->span = span;
  context->flags = static_cast<uint8_t>(bytes[24]);
  return true;
}

}  // namespace skysail::telemetry
