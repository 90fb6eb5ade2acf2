// Serves model versions through their replicas: prediction cache, then one queue per version.
//
// The cache is looked up on the call's own loop; what it does not hold goes to the version's home
// loop, where equal queries meet and batches are made.
#ifndef SKYSAIL_SERVICES_BATCHER_H_
#define SKYSAIL_SERVICES_BATCHER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "batching/batch_queue.h"
#include "cache/prediction_cache.h"
#include "net/event_loop.h"
#include "services/call_stats.h"
#include "services/config.h"
#include "services/infer_call.h"
#include "services/published.h"

namespace skysail::services {

struct BatcherOptions {
  cache::CacheOptions cache;
  batching::QueueOptions queue;  // of each version
};

// Thread-safe. `loops` must outlive it.
class Batcher final : public InferService {
 public:
  Batcher(net::LoopThreads& loops, BatcherOptions options,
          const Clock& clock = SystemClock::Get());
  ~Batcher() override;

  // Replaces the whole set. A version that is in both sets with one digest keeps its queue, channels,
  // learned limits and cached answers (these unless its quota has changed); one left out is no longer
  // served, but calls that wait for it are answered first, and its cached answers go at once.
  // InvalidArgument (and no change) for a version given twice, a malformed address or a value out of
  // range.
  Status Publish(const std::vector<ServedVersion>& versions, int64_t revision);

  // The model and version that the selector chose, else those that the message names. NotFound: not
  // served here; FailedPrecondition: the message names no version and there are several.
  void Infer(InferCall call) override;
  void OnUnreadable(ErrorKind kind) override { nameless_.Add(kind); }
  // Whether a replica of the version is in rotation now. Any thread.
  bool Ready(std::string_view model, std::string_view version) const;
  Report Stats() const override;

 private:
  struct Served;
  struct Snapshot;

  net::LoopThreads& loops_;
  const BatcherOptions options_;
  const Clock& clock_;
  const std::shared_ptr<cache::PredictionCache> cache_;
  std::mutex publishing_;  // one Publish at a time
  Published<Snapshot> snapshot_;
  KindCounts nameless_;  // answered, but no version's: unknown ones and messages that cannot be read
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_BATCHER_H_
