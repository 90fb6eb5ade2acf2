// The one table between ErrorKind and gRPC's status codes, and the two that turn an HTTP status or
// an HTTP/2 error code into a status when a peer sent no grpc-status.
#ifndef SKYSAIL_NET_STATUS_CODES_H_
#define SKYSAIL_NET_STATUS_CODES_H_

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace skysail::net {

// 0 (OK) .. 16 (UNAUTHENTICATED).
int GrpcCode(ErrorKind kind);
// The code in decimal, as it stands in grpc-status; static storage.
std::string_view GrpcCodeText(ErrorKind kind);
// kUnknown for a code that is not of the table.
ErrorKind KindOfGrpcCode(int code);
// The value of a grpc-status header; kUnknown when it is no number.
ErrorKind KindOfGrpcStatus(std::string_view text);

// For an answer without grpc-status.
ErrorKind KindOfHttpStatus(int http_status);
// For a stream reset with this HTTP/2 error code before its trailers.
ErrorKind KindOfReset(uint32_t http2_error_code);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_STATUS_CODES_H_
