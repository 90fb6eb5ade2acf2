// Message compression: what `grpc-encoding: gzip` and `deflate` name.
#ifndef SKYSAIL_NET_GZIP_H_
#define SKYSAIL_NET_GZIP_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/slice.h"
#include "base/status.h"

namespace skysail::net {

enum class Encoding : unsigned char { kIdentity, kGzip, kDeflate };
// The value of grpc-accept-encoding that we send.
inline constexpr std::string_view kAcceptedEncodings = "identity,gzip,deflate";

// Nothing for an encoding that we do not have.
std::optional<Encoding> ParseEncoding(std::string_view name);

// The gzip form of `message`.
Slice GzipCompress(const Bytes& message);
// Takes gzip and zlib ("deflate") data alike. RESOURCE_EXHAUSTED once the output would pass
// `max_bytes`, whatever the input claims; INTERNAL when the data is broken.
Result<Slice> Decompress(std::string_view compressed, size_t max_bytes);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_GZIP_H_
