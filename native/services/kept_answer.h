// What the prediction cache knows to a call, as the answer to it.
#ifndef SKYSAIL_SERVICES_KEPT_ANSWER_H_
#define SKYSAIL_SERVICES_KEPT_ANSWER_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/slice.h"
#include "cache/prediction_cache.h"
#include "services/config.h"
#include "services/infer_call.h"
#include "services/version_stats.h"
#include "telemetry/open_span.h"

namespace skysail::services {

struct KeptFor {
  const ServedVersion& version;
  telemetry::NameId model_name, version_name;  // as spans have them
  VersionStats& stats;
  const Clock& clock;
};

// Looks `key` up for a call to that version, counts it, and records a span when the call's are wanted;
// nothing when the cache does not hold it. Any thread.
inline std::optional<InferResponse> KeptAnswer(cache::PredictionCache& cache,
                                               const cache::PredictionCache::Key& key,
                                               const TraceContext& trace, const KeptFor& whom) {
  telemetry::SpanRing* const ring = trace.sampled() ? telemetry::SpanRing::OfThisThread() : nullptr;
  const TimeNs began = ring != nullptr ? whom.clock.Now() : 0;
  whom.stats.cache_lookups.Add();
  std::optional<Slice> kept = cache.Lookup(key);
  if (ring != nullptr) {
    telemetry::SpanRecord record = telemetry::PartOf(trace, telemetry::Stage::kCache,
                                                     ErrorKind::kOk, began, whom.clock.Now());
    record.model = whom.model_name;
    record.version = whom.version_name;
    record.cache = static_cast<uint8_t>(kept ? CacheOutcome::kHit : CacheOutcome::kMiss);
    ring->Record(record);
  }
  if (!kept.has_value()) return std::nullopt;
  whom.stats.cache_hits.Add();
  whom.stats.calls.Ended(ErrorKind::kOk);
  InferResponse response;
  response.payload = Bytes(std::move(*kept));
  response.model = whom.version.model;
  response.version = whom.version.version;
  response.cache = CacheOutcome::kHit;
  return response;
}

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_KEPT_ANSWER_H_
