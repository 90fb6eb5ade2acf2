// Base64 of binary metadata (keys that end in "-bin").
#ifndef SKYSAIL_NET_BASE64_H_
#define SKYSAIL_NET_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace skysail::net {

// Without padding, as gRPC asks senders to.
std::string Base64Encode(std::string_view bytes);
// Takes padded and unpadded text; nothing when it is neither.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_BASE64_H_
