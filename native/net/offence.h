// What a peer may do that costs us more than it costs the peer, and how it is counted: what ends its
// connection, and what ends or refuses one call of it.
#ifndef SKYSAIL_NET_OFFENCE_H_
#define SKYSAIL_NET_OFFENCE_H_

#include <cstddef>
#include <string_view>

namespace skysail::net {

enum class Offence : unsigned char {
  kNone,
  // The connection ends with GOAWAY(ENHANCE_YOUR_CALM).
  kResetFlood,         // calls begun and broken off, or broken so that we must reset them
  kPingFlood,          // PING
  kSettingsFlood,      // SETTINGS
  kWindowUpdateFlood,  // WINDOW_UPDATE, more than what we send can need
  kUselessFrameFlood,  // PRIORITY, empty DATA, frames of unknown types
  kHeaderBomb,         // a header block many times over the limit, packed or unpacked
  kSlowHeaders,        // a header block, or a frame that carries no message, that does not end in time
  kSlowReader,         // takes nothing off its socket
  // It just ends: nobody there would understand.
  kSlowHandshake,  // no HTTP/2 within the time for it
  kVanished,       // no answer to a PING
  kCount,
};

inline constexpr size_t kOffences = static_cast<size_t>(Offence::kCount);

// As in the counters: "reset_flood".
std::string_view OffenceName(Offence offence);

// Why a call was ended or refused, while the connection goes on.
enum class Overrun : unsigned char {
  kMetadata,          // more of it than may be
  kMessage,           // larger than may be, as it is declared
  kInflated,          // the same, once decompressed
  kIncomplete,        // the connection's messages that have begun are too much together
  kUnsent,            // refused: the connection's answers that nobody takes are too much
  kSlowMessage,       // what has begun does not come to its end
  kUntaken,           // what we send is not taken
  kCount,
};

inline constexpr size_t kOverruns = static_cast<size_t>(Overrun::kCount);

// As in the counters: "metadata_size".
std::string_view OverrunName(Overrun overrun);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_OFFENCE_H_
