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
    case Offence::kNone:
    case Offence::kCount: break;
  }
  return "none";
}

}  // namespace skysail::net
