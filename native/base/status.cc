#include "base/status.h"

namespace skysail {

std::string_view ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kOk: return "Ok";
    case ErrorKind::kCancelled: return "Cancelled";
    case ErrorKind::kUnknown: return "Unknown";
    case ErrorKind::kInvalidArgument: return "InvalidArgument";
    case ErrorKind::kDeadlineExceeded: return "DeadlineExceeded";
    case ErrorKind::kNotFound: return "NotFound";
    case ErrorKind::kAlreadyExists: return "AlreadyExists";
    case ErrorKind::kPermissionDenied: return "PermissionDenied";
    case ErrorKind::kResourceExhausted: return "ResourceExhausted";
    case ErrorKind::kFailedPrecondition: return "FailedPrecondition";
    case ErrorKind::kAborted: return "Aborted";
    case ErrorKind::kOutOfRange: return "OutOfRange";
    case ErrorKind::kUnimplemented: return "Unimplemented";
    case ErrorKind::kInternal: return "Internal";
    case ErrorKind::kUnavailable: return "Unavailable";
    case ErrorKind::kDataLoss: return "DataLoss";
    case ErrorKind::kUnauthenticated: return "Unauthenticated";
  }
  return "Unknown";
}

std::string ErrorCode(ErrorKind kind) {
  std::string code;
  for (const char letter : ErrorKindName(kind)) {
    const bool capital = letter >= 'A' && letter <= 'Z';
    if (capital && !code.empty()) code.push_back('_');
    code.push_back(capital ? static_cast<char>(letter - 'A' + 'a') : letter);
  }
  return code;
}

std::string Status::ToString() const {
  std::string text(ErrorKindName(kind_));
  if (!message_.empty()) text.append(": ").append(message_);
  return text;
}

}  // namespace skysail
