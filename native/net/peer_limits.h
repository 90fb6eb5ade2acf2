// What one peer, or all together, may make us hold or do. Every limit is a row of one table, which options,
// bindings and documentation read: its name with the unit, its legal range, and what raising it does.
#ifndef SKYSAIL_NET_PEER_LIMITS_H_
#define SKYSAIL_NET_PEER_LIMITS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace skysail::net {

struct PeerLimits {
  // Of a process.
  size_t max_connections = 16384;

  // Of a connection: what it may hold.
  uint32_t max_concurrent_streams = 1024;
  uint32_t initial_window_bytes = uint32_t{1} << 20;
  uint32_t connection_window_bytes = uint32_t{8} << 20;
  size_t max_metadata_bytes = 64 << 10;
  size_t max_unsent_bytes = size_t{256} << 20;
  size_t max_incomplete_bytes = size_t{1} << 30;

  // Of a connection: how long it may take.
  TimeNs handshake_timeout = 10 * kSecond;
  TimeNs keepalive_interval = 60 * kSecond;
  TimeNs keepalive_timeout = 20 * kSecond;
  TimeNs incomplete_timeout = 60 * kSecond;
  TimeNs untaken_timeout = 300 * kSecond;
  TimeNs idle_timeout = 3600 * kSecond;
  TimeNs max_connection_age = 0;

  // Of a connection: what it may ask for.
  uint32_t max_reset_burst = 4096;
  uint32_t max_resets_per_s = 1024;
  uint32_t max_control_burst = 1000;
  uint32_t max_controls_per_s = 100;
};

struct PeerLimit {
  std::string_view name;
  int64_t unit;  // one of what the name says, in what the field holds
  int64_t low, high;
  std::string_view text;
};

// Calls `visit(row, field)` for every limit; `limits` is a PeerLimits or const PeerLimits.
template <typename Limits, typename Visit>
void ForEachLimit(Limits& limits, Visit visit) {
  constexpr int64_t kMiB = int64_t{1} << 20;
  constexpr int64_t kDayMs = 24 * 3600 * 1000;
  visit({"max_connections", 1, 1, 1 << 20,
         "connections of a process; more need a descriptor and some 15 KiB each"},
        limits.max_connections);
  visit({"max_concurrent_streams", 1, 1, 1 << 20,
         "calls open at once on a connection; more let one peer hold more"},
        limits.max_concurrent_streams);
  visit({"initial_window_bytes", 1, 16 << 10, (int64_t{1} << 31) - 1,
         "what a call may send ahead; more is faster over long distances and holds more"},
        limits.initial_window_bytes);
  visit({"connection_window_bytes", 1, 64 << 10, (int64_t{1} << 31) - 1,
         "what all calls of a connection may send ahead; likewise"},
        limits.connection_window_bytes);
  visit({"max_metadata_bytes", 1, 4 << 10, 16 * kMiB,
         "metadata of a call; more lets callers say more and every call hold more"},
        limits.max_metadata_bytes);
  visit({"max_unsent_bytes", 1, 64 << 10, 65536 * kMiB,
         "answers that a peer has not taken; more lets a slow reader go on longer"},
        limits.max_unsent_bytes);
  visit({"max_incomplete_bytes", 1, 1 << 20, 65536 * kMiB,
         "of messages that have begun to come; more lets one peer send more large ones side by side"},
        limits.max_incomplete_bytes);
  visit({"handshake_timeout_ms", kMillisecond, 1, kDayMs,
         "until a new connection has said that it speaks HTTP/2; more lets silent ones stay"},
        limits.handshake_timeout);
  visit({"keepalive_interval_ms", kMillisecond, 0, kDayMs,
         "silence after which a peer is sent a PING, 0: never; more notices vanished peers later"},
        limits.keepalive_interval);
  visit({"keepalive_timeout_ms", kMillisecond, 1, kDayMs,
         "how long the answer to that PING may take; likewise"},
        limits.keepalive_timeout);
  visit({"incomplete_timeout_ms", kMillisecond, 1, kDayMs,
         "a header block must end, a message end or go on by a KiB; more lets slow ones take longer"},
        limits.incomplete_timeout);
  visit({"untaken_timeout_ms", kMillisecond, 0, kDayMs,
         "a KiB of what waits to be taken must be, 0: never; more lets readers pause for longer"},
        limits.untaken_timeout);
  visit({"idle_timeout_ms", kMillisecond, 0, 30 * kDayMs,
         "a connection without calls is sent away, 0: never; more keeps them for longer"},
        limits.idle_timeout);
  visit({"max_connection_age_ms", kMillisecond, 0, 30 * kDayMs,
         "a connection is sent away, its calls answered, 0: never; less spreads callers anew more often"},
        limits.max_connection_age);
  visit({"max_reset_burst", 1, 1, 1 << 24,
         "calls that may be broken off at once; more spares clients whose deadlines expire together"},
        limits.max_reset_burst);
  visit({"max_resets_per_s", 1, 1, 1 << 24,
         "calls that may be broken off in the long run, beside one for each call answered; likewise"},
        limits.max_resets_per_s);
  visit({"max_control_burst", 1, 1, 1 << 24,
         "PING, SETTINGS, WINDOW_UPDATE and frames of no use, of each kind at once; more spares chatty clients"},
        limits.max_control_burst);
  visit({"max_controls_per_s", 1, 1, 1 << 24,
         "the same in the long run, beside those that our answers call for; likewise"},
        limits.max_controls_per_s);
}

// Sets a limit by its name, in its unit. INVALID_ARGUMENT names the limit and what is legal.
Status SetLimit(PeerLimits* limits, std::string_view name, int64_t value);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_PEER_LIMITS_H_
