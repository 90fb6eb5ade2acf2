#include "services/retry_info.h"

#include "net/status_codes.h"
#include "oip/wire.h"

namespace skysail::services {
namespace {

namespace wire = oip::wire;

constexpr char kRetryInfoType[] = "type.googleapis.com/google.rpc.RetryInfo";

void AppendNumber(std::string* out, int field, int64_t value) {
  if (value != 0) wire::AppendNumber(out, field, static_cast<uint64_t>(value));
}

}  // namespace

std::string EncodeRetryInfo(const Status& status, TimeNs retry_after) {
  std::string delay, info, any, details;
  AppendNumber(&delay, 1, retry_after / kSecond);
  AppendNumber(&delay, 2, retry_after % kSecond);
  wire::AppendBytes(&info, 1, delay);
  wire::AppendBytes(&any, 1, kRetryInfoType);
  wire::AppendBytes(&any, 2, info);
  AppendNumber(&details, 1, net::GrpcCode(status.kind()));
  wire::AppendBytes(&details, 2, status.message());
  wire::AppendBytes(&details, 3, any);
  return details;
}

}  // namespace skysail::services
