// The grpc-timeout header: at most eight digits and a unit.
#ifndef SKYSAIL_NET_GRPC_TIMEOUT_H_
#define SKYSAIL_NET_GRPC_TIMEOUT_H_

#include <array>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace skysail::net {

// Nothing when malformed. A timeout too long for TimeNs is kNever.
std::optional<TimeNs> ParseGrpcTimeout(std::string_view text);
// Writes `timeout` (at least 1 ns is sent) in the finest unit that fits, rounded down so that the
// peer never waits longer than we do. The view is into `buffer`.
std::string_view FormatGrpcTimeout(TimeNs timeout, std::array<char, 16>* buffer);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_GRPC_TIMEOUT_H_
