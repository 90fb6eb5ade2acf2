// The next service, in other processes: an InferService over gRPC channels.
//
// One channel per loop and endpoint. The endpoint for a call is chosen by rendezvous hashing of
// (model, version), so that equal inputs meet one cache and concurrent callers one queue; endpoints
// whose connection does not stand are passed over while there are others. A call that was not run, or whose peer went away before
// it answered, goes to the next endpoint, once, within its deadline and within a budget that all calls
// share, so that retries cannot multiply load. To endpoints that offer it, calls go packed into one
// stream (see hop_channel.h); large messages do not.
#ifndef SKYSAIL_SERVICES_REMOTE_SERVICE_H_
#define SKYSAIL_SERVICES_REMOTE_SERVICE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "services/config.h"
#include "services/infer_call.h"
#include "services/published.h"

namespace skysail::services {

// Thread-safe. `loops` must outlive it.
class RemoteService final : public InferService {
 public:
  explicit RemoteService(net::LoopThreads& loops);
  ~RemoteService() override;

  // Replaces the whole set. An endpoint that is in both keeps its channels; one left out gets no more
  // calls and is closed once those it has are answered. InvalidArgument (and no change) for a malformed
  // address or an id given twice.
  Status Publish(const std::vector<Endpoint>& endpoints, int64_t revision);

  // Unavailable when there is no endpoint, or none can be reached.
  void Infer(InferCall call) override;
  Report Stats() const override;

 private:
  struct Peers;
  struct Counts;
  struct LoopState;
  class Call;

  const std::shared_ptr<Counts> counts_;
  Published<Peers> peers_;
  std::vector<std::shared_ptr<LoopState>> states_;  // one per loop, each touched on its loop only
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_REMOTE_SERVICE_H_
