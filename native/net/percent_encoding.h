// The encoding of grpc-message: bytes outside printable ASCII, and '%', become %XX.
#ifndef SKYSAIL_NET_PERCENT_ENCODING_H_
#define SKYSAIL_NET_PERCENT_ENCODING_H_

#include <string>
#include <string_view>

namespace skysail::net {

std::string PercentEncode(std::string_view text);
// Never fails: what is not a valid escape is kept as it came.
std::string PercentDecode(std::string_view text);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_PERCENT_ENCODING_H_
