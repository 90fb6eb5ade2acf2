#include "net/offence.h"

namespace skysail::net {

std::string_view OffenceName(Offence offence) {
  switch (offence) {
    case Offence::kResetFlood: return "reset_flood";
    case Offence::kPingFlood: return "ping_flood";
    case Offence::kSettingsFlood: return "settings_flood";
    case Offence::kWindowUpdateFlood: return "window_update_flood";
    case Offence::kUselessFrameFlood: return "useless_frame_flood";
    case Offence::kHeaderBomb: return "header_bomb";
    case Offence::kSlowHeaders: return "slow_headers";
    case Offence::kSlowReader: return "slow_reader";
    case Offence::kSlowHandshake: return "slow_handshake";
    case Offence::kVanished: return "vanished";
    case Offence::kNone:
    case Offence::kCount: break;
  }
  return "none";
}

std::string_view OverrunName(Overrun overrun) {
  switch (overrun) {
    case Overrun::kMetadata: return "metadata_size";
    case Overrun::kMessage: return "message_size";
    case Overrun::kInflated: return "decompressed_size";
    case Overrun::kIncomplete: return "incomplete_messages";
    case Overrun::kUnsent: return "unsent_answers";
    case Overrun::kSlowMessage: return "slow_message";
    case Overrun::kUntaken: return "untaken_messages";
    case Overrun::kCount: break;
  }
  return "none";
}

}  // namespace skysail::net
