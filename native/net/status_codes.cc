#include "net/status_codes.h"

#include <nghttp2/nghttp2.h>

#include <array>
#include <charconv>

namespace skysail::net {
namespace {

struct Row {
  ErrorKind kind;
  int code;
  std::string_view text;
};

// In the order of ErrorKind, so that a kind is its own index.
constexpr std::array<Row, kErrorKinds> kRows = {{
    {ErrorKind::kOk, 0, "0"},
    {ErrorKind::kCancelled, 1, "1"},
    {ErrorKind::kUnknown, 2, "2"},
    {ErrorKind::kInvalidArgument, 3, "3"},
    {ErrorKind::kDeadlineExceeded, 4, "4"},
    {ErrorKind::kNotFound, 5, "5"},
    {ErrorKind::kAlreadyExists, 6, "6"},
    {ErrorKind::kPermissionDenied, 7, "7"},
    {ErrorKind::kResourceExhausted, 8, "8"},
    {ErrorKind::kFailedPrecondition, 9, "9"},
    {ErrorKind::kAborted, 10, "10"},
    {ErrorKind::kOutOfRange, 11, "11"},
    {ErrorKind::kUnimplemented, 12, "12"},
    {ErrorKind::kInternal, 13, "13"},
    {ErrorKind::kUnavailable, 14, "14"},
    {ErrorKind::kDataLoss, 15, "15"},
    {ErrorKind::kUnauthenticated, 16, "16"},
}};

constexpr bool RowsAreInOrder() {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].kind != static_cast<ErrorKind>(i)) return false;
  }
  return true;
}
static_assert(RowsAreInOrder(), "kRows is indexed by ErrorKind");

}  // namespace

int GrpcCode(ErrorKind kind) { return kRows[static_cast<size_t>(kind)].code; }

std::string_view GrpcCodeText(ErrorKind kind) { return kRows[static_cast<size_t>(kind)].text; }

ErrorKind KindOfGrpcCode(int code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row.kind;
  }
  return ErrorKind::kUnknown;
}

ErrorKind KindOfGrpcStatus(std::string_view text) {
  int code = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size()) return ErrorKind::kUnknown;
  return KindOfGrpcCode(code);
}

ErrorKind KindOfHttpStatus(int http_status) {
  switch (http_status) {
    case 400: return ErrorKind::kInternal;
    case 401: return ErrorKind::kUnauthenticated;
    case 403: return ErrorKind::kPermissionDenied;
    case 404: return ErrorKind::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return ErrorKind::kUnavailable;
    default: return ErrorKind::kUnknown;
  }
}

ErrorKind KindOfReset(uint32_t http2_error_code) {
  switch (http2_error_code) {
    case NGHTTP2_REFUSED_STREAM: return ErrorKind::kUnavailable;
    case NGHTTP2_CANCEL: return ErrorKind::kCancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM: return ErrorKind::kResourceExhausted;
    case NGHTTP2_INADEQUATE_SECURITY: return ErrorKind::kPermissionDenied;
    case NGHTTP2_NO_ERROR:
    case NGHTTP2_PROTOCOL_ERROR:
    case NGHTTP2_INTERNAL_ERROR:
    case NGHTTP2_FLOW_CONTROL_ERROR:
    case NGHTTP2_SETTINGS_TIMEOUT:
    case NGHTTP2_FRAME_SIZE_ERROR:
    case NGHTTP2_COMPRESSION_ERROR:
    case NGHTTP2_CONNECT_ERROR: return ErrorKind::kInternal;
    default: return ErrorKind::kUnknown;
  }
}

}  // namespace skysail::net
