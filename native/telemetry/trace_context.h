// W3C trace context: to which trace a call belongs, and which span of it the next one stands under.
//
// What callers send is bounded and checked here and nowhere passed on as it came: what is malformed is
// dropped and counted. Textual towards callers and models, 25 bytes between our own services.
// https://www.w3.org/TR/trace-context-2/
#ifndef SKYSAIL_TELEMETRY_TRACE_CONTEXT_H_
#define SKYSAIL_TELEMETRY_TRACE_CONTEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "telemetry/histogram.h"

namespace skysail::telemetry {

// 16 bytes, big-endian on the wire; zero is none.
struct TraceId {
  uint64_t high = 0, low = 0;
  explicit operator bool() const { return (high | low) != 0; }
  friend bool operator==(const TraceId& a, const TraceId& b) {
    return a.high == b.high && a.low == b.low;
  }
};
using SpanId = uint64_t;  // 8 bytes, big-endian on the wire; zero is none

struct TraceContext {
  static constexpr uint8_t kSampled = 0x01;  // the caller records, and asks us to
  static constexpr uint8_t kRandom = 0x02;   // the trace id's last seven bytes are random

  TraceId trace;
  SpanId span = 0;  // the one that the next span stands under
  uint8_t flags = 0;
  std::string state;  // tracestate, checked; empty for nearly every caller

  bool valid() const { return static_cast<bool>(trace) && span != 0; }
  bool sampled() const { return (flags & kSampled) != 0; }
};

inline constexpr size_t kTraceparentSize = 55;
inline constexpr size_t kBinaryTraceSize = 25;  // trace id, span id, flags
inline constexpr size_t kMaxTracestateBytes = 512;
inline constexpr size_t kMaxTracestateMembers = 32;

// How often a process dropped what a caller sent. Thread-safe, without locks.
struct TraceFaults {
  Counter traceparents, tracestates;
  // The process-wide instance.
  static TraceFaults& Get();
};

// The header's three fields; false, and nothing is changed, when it is malformed. Allocates nothing. A later
// version than 00 is read as far as 00 goes, as the standard asks.
bool ParseTraceparent(std::string_view text, TraceContext* context);
// Whether the members of a tracestate header are within the limits and well-formed. Allocates nothing.
bool IsTracestate(std::string_view text);

// The context that a caller's headers state: invalid when there is none or it is malformed, which is counted.
// A malformed tracestate is left out, and the rest stands. Allocates for a tracestate alone.
TraceContext ReadTrace(std::string_view traceparent, std::string_view tracestate);

// Writes kTraceparentSize characters. Requires context.valid().
void FormatTraceparent(const TraceContext& context, char* out);
// Writes 32 and 16 characters.
void FormatTraceId(const TraceId& id, char* out);
void FormatSpanId(SpanId id, char* out);

// Writes kBinaryTraceSize bytes.
void PutBinaryTrace(const TraceContext& context, char* out);
// False, and nothing is changed, unless it is that long and no id is zero.
bool ReadBinaryTrace(std::string_view bytes, TraceContext* context);

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_TRACE_CONTEXT_H_
