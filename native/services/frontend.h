// The public face: maps a name to its application and holds the calls to what that promises.
//
// Checks requests against the application's signature, sets the deadline (the objective, or the
// caller's own when sooner), and answers by then whatever happens behind: with the model's output, with
// the application's default output (marked as such, with the reason), or with DeadlineExceeded. A wrong
// request is told as such and never answered with the default.
#ifndef SKYSAIL_SERVICES_FRONTEND_H_
#define SKYSAIL_SERVICES_FRONTEND_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/event_loop.h"
#include "services/call_stats.h"
#include "services/config.h"
#include "services/infer_call.h"
#include "services/published.h"

namespace skysail::services {

// Thread-safe. `loops` must outlive it.
class Frontend final : public InferService {
 public:
  Frontend(net::LoopThreads& loops, std::shared_ptr<InferService> next,
           const Clock& clock = SystemClock::Get());
  ~Frontend() override;

  // Replaces the whole set; calls in flight end under the set they began with. InvalidArgument (and
  // no change) for a name given twice, an objective that is not positive or a malformed default.
  Status Publish(std::vector<Application> applications, int64_t revision);

  void Infer(InferCall call) override;
  void OnUnreadable(ErrorKind kind) override { nameless_.Add(kind); }
  Report Stats() const override;

 private:
  struct Snapshot;
  class Pending;

  const std::shared_ptr<InferService> next_;
  const Clock& clock_;
  Published<Snapshot> snapshot_;
  KindCounts nameless_;  // answered, but no application's: unknown names and messages that cannot be read
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_FRONTEND_H_
