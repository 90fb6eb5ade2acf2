#include "net/peer_limits.h"

#include <string>
#include <type_traits>

namespace skysail::net {

Status SetLimit(PeerLimits* limits, std::string_view name, int64_t value) {
  Status status = InvalidArgument("there is no limit '" + std::string(name) + "'");
  ForEachLimit(*limits, [&](const PeerLimit& row, auto& field) {
    if (row.name != name) return;
    if (value < row.low || value > row.high) {
      status = InvalidArgument("limit '" + std::string(name) + "' must be between " +
                               std::to_string(row.low) + " and " + std::to_string(row.high) +
                               ", got " + std::to_string(value));
      return;
    }
    field = static_cast<std::decay_t<decltype(field)>>(value * row.unit);
    status = Status::Ok();
  });
  return status;
}

}  // namespace skysail::net
