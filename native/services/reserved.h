// The names under which Skysail's services tell each other, and callers, what the protocol has no
// field for. All begin with oip::kReservedPrefix, so that none reaches a model.
#ifndef SKYSAIL_SERVICES_RESERVED_H_
#define SKYSAIL_SERVICES_RESERVED_H_

#include <string_view>

namespace skysail::services {

// Request parameters. A caller may set the first two; the others are believed on inner listeners only.
inline constexpr std::string_view kContextParameter = "skysail.context";
inline constexpr std::string_view kPriorityParameter = "skysail.priority";  // high, normal, low
inline constexpr std::string_view kApplicationParameter = "skysail.application";

// Request parameter between services, response parameter to callers: 32 hexadecimal digits.
inline constexpr std::string_view kPredictionParameter = "skysail.prediction";

// Response parameters.
inline constexpr std::string_view kModelsParameter = "skysail.models";    // which models answered
inline constexpr std::string_view kCacheParameter = "skysail.cache";      // hit, miss, coalesced
inline constexpr std::string_view kDefaultParameter = "skysail.default";  // true: no model's answer
inline constexpr std::string_view kReasonParameter = "skysail.reason";    // why the default

// Trailers of a failed call.
inline constexpr std::string_view kRetryTrailer = "grpc-retry-pushback-ms";
inline constexpr std::string_view kDetailsTrailer = "grpc-status-details-bin";
inline constexpr std::string_view kUnprocessedTrailer = "skysail-unprocessed";  // no model saw it

// Trailer of a call that succeeded, on inner listeners alone: an encoded skysail.v1.Timing. Its name is short
// enough to be kept without an allocation.
inline constexpr std::string_view kTimingTrailer = "skysail-us-bin";

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_RESERVED_H_
