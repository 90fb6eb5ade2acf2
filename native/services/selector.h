// Chooses who answers: application → model by policy, model → version by the weights of its route,
// sticky by context. From here on the version is pinned in the request.
#ifndef SKYSAIL_SERVICES_SELECTOR_H_
#define SKYSAIL_SERVICES_SELECTOR_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/event_loop.h"
#include "selection/policy.h"
#include "services/call_stats.h"
#include "services/config.h"
#include "services/infer_call.h"
#include "services/published.h"

namespace skysail::services {

// Thread-safe. `loops` must outlive it.
class Selector final : public InferService {
 public:
  Selector(net::LoopThreads& loops, std::shared_ptr<InferService> next,
           std::unique_ptr<const selection::Policy> policy =
               std::make_unique<selection::FirstModelPolicy>(),
           const Clock& clock = SystemClock::Get());
  ~Selector() override;

  // Replaces both sets. An application's model without a route cannot answer until it has one.
  // InvalidArgument (and no change) for a name given twice or a negative weight.
  Status Publish(const std::vector<Application>& applications, const std::vector<Route>& routes,
                 int64_t revision);

  // NotFound: no such application, or the version that the caller named. FailedPrecondition: the
  // application's models have no version with traffic.
  void Infer(InferCall call) override;
  void OnUnreadable(ErrorKind kind) override { nameless_.Add(kind); }
  Report Stats() const override;

 private:
  struct Snapshot;

  const std::shared_ptr<InferService> next_;
  const std::unique_ptr<const selection::Policy> policy_;
  const Clock& clock_;
  Published<Snapshot> snapshot_;
  KindCounts nameless_;  // answered, but no application's: unknown names and messages that cannot be read
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_SELECTOR_H_
