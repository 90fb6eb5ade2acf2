// The retry hint of a refusal, as gRPC's richer error model says it.
#ifndef SKYSAIL_SERVICES_RETRY_INFO_H_
#define SKYSAIL_SERVICES_RETRY_INFO_H_

#include <string>

#include "base/clock.h"
#include "base/status.h"

namespace skysail::services {

// An encoded google.rpc.Status (the value of the trailer `grpc-status-details-bin`) that repeats
// `status` and holds one google.rpc.RetryInfo: try again after `retry_after` (>= 0), not before.
std::string EncodeRetryInfo(const Status& status, TimeNs retry_after);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_RETRY_INFO_H_
