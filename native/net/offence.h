// What a peer may do that costs us more than it costs the peer, and how it is counted.
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
  kCount,
};

inline constexpr size_t kOffences = static_cast<size_t>(Offence::kCount);

// As in the server's counters: "reset_flood".
std::string_view OffenceName(Offence offence);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_OFFENCE_H_
