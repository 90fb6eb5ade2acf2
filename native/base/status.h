// The one error type of the data plane.
//
// A Status is either ok or an error kind with a message for people. Kinds are the canonical error
// space that RPC systems share; this header knows no wire codes. net/status_codes.h maps kinds to
// gRPC codes, control maps them to HTTP, and a test proves both tables complete.
#ifndef SKYSAIL_BASE_STATUS_H_
#define SKYSAIL_BASE_STATUS_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skysail {

enum class ErrorKind : unsigned char {
  kOk = 0,
  kCancelled,           // the caller left
  kUnknown,             // a peer answered with a code that we do not know
  kInvalidArgument,     // the request is wrong whatever the state of the system
  kDeadlineExceeded,    // no answer in time
  kNotFound,            // no such application, model, version, prediction
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,   // over a limit: message size, queue length, wait ahead
  kFailedPrecondition,  // right request, wrong state: not ready, not loaded
  kAborted,
  kOutOfRange,
  kUnimplemented,
  kInternal,            // a broken contract: of the model, or a defect of ours
  kUnavailable,         // nobody there now; trying again may help
  kDataLoss,
  kUnauthenticated,
};
inline constexpr int kErrorKinds = 17;

// "InvalidArgument" and so on.
std::string_view ErrorKindName(ErrorKind kind);
// The lower snake form, "invalid_argument", for logs and the labels of metrics.
std::string ErrorCode(ErrorKind kind);

// Copyable; an ok Status holds no heap memory.
class Status {
 public:
  Status() = default;
  Status(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}
  static Status Ok() { return Status(); }

  bool ok() const { return kind_ == ErrorKind::kOk; }
  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  // "InvalidArgument: tensor 'x' ..." or "Ok".
  std::string ToString() const;

 private:
  ErrorKind kind_ = ErrorKind::kOk;
  std::string message_;
};

inline Status InvalidArgument(std::string m) { return {ErrorKind::kInvalidArgument, std::move(m)}; }
inline Status NotFound(std::string m) { return {ErrorKind::kNotFound, std::move(m)}; }
inline Status Internal(std::string m) { return {ErrorKind::kInternal, std::move(m)}; }
inline Status Unavailable(std::string m) { return {ErrorKind::kUnavailable, std::move(m)}; }
inline Status Cancelled(std::string m) { return {ErrorKind::kCancelled, std::move(m)}; }
inline Status Unimplemented(std::string m) { return {ErrorKind::kUnimplemented, std::move(m)}; }
inline Status DeadlineExceeded(std::string m) {
  return {ErrorKind::kDeadlineExceeded, std::move(m)};
}
inline Status ResourceExhausted(std::string m) {
  return {ErrorKind::kResourceExhausted, std::move(m)};
}

// A value or the error that stands in its place.
template <typename T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}            // NOLINT: implicit by intent
  Result(Status status) : status_(std::move(status)) {}    // NOLINT: implicit; requires !status.ok()
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() { return *value_; }
  const T& value() const { return *value_; }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace skysail

#endif  // SKYSAIL_BASE_STATUS_H_
