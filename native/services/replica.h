// One running copy of a version as its batcher sees it: a channel, and the credits for it.
//
// What it has in flight, and what was learned of it, is its pace (batching/pace.h).
//
// A replica is out of rotation while its channel is not ready, and while it is suspect: when it let a
// batch's time pass, or is far behind what was learned of it. Then a copy of one request is put to it,
// and it is back when that is answered, whatever the answer (a hung model answers nothing; a hung
// process loses its connection).
#ifndef SKYSAIL_SERVICES_REPLICA_H_
#define SKYSAIL_SERVICES_REPLICA_H_

#include <memory>
#include <vector>

#include "base/clock.h"
#include "batching/limit_controller.h"
#include "batching/pace.h"
#include "net/client_channel.h"
#include "net/event_loop.h"
#include "services/batch.h"
#include "services/config.h"
#include "services/version_stats.h"
#include "telemetry/names.h"

namespace skysail::services {

class Replica;

class ReplicaOwner {
 public:
  // The batch is no longer the replica's. `lost`: the connection broke while it may have run.
  virtual void OnBatchDone(Replica& replica, std::unique_ptr<Batch> batch, net::CallResult result,
                           bool lost) = 0;
  // It has come into rotation or gone out of it.
  virtual void OnReplicaChanged() = 0;

 protected:
  ~ReplicaOwner() = default;
};

// Home loop only.
class Replica final : public BatchOwner {
 public:
  Replica(ReplicaOwner& owner, net::EventLoop& loop, Endpoint endpoint, net::Address address,
          batching::LimitOptions limits, ReplicaStats& stats, const Clock& clock);
  // Batches in flight end with Cancelled.
  ~Replica();

  const Endpoint& endpoint() const { return endpoint_; }
  telemetry::NameId name() const { return name_; }  // of its id, in spans
  bool ready() const { return state_ == net::ClientChannel::State::kReady && probe_ == nullptr; }
  // Not ready, but it may be soon: worth waiting for.
  bool hopeful() const;
  size_t in_flight() const { return in_flight_.size(); }
  bool idle() const { return in_flight_.empty(); }
  batching::Pace& pace() { return pace_; }
  const batching::Pace& pace() const { return pace_; }
  // Where its batches count; outlives it.
  ReplicaStats& stats() const { return stats_; }
  // Since when nothing is in flight, and it takes batches. Requires ready() and idle().
  TimeNs free_since() const { return free_since_; }

  // Requires ready() and at most one batch in flight.
  void Send(std::unique_ptr<Batch> batch, Bytes request);
  // What the model took for the batch that has just ended. Requires: in OnBatchDone.
  const batching::Pace::Ran& ran() const { return ran_; }
  bool suspect() const { return probe_ != nullptr; }
  // Out of rotation until it has answered this.
  void Suspect(Bytes request);
  // The work of the first batch in flight, which stands for what it hangs at. Requires one.
  const Work& running() const { return *in_flight_.front()->members().front(); }
  // Takes the batches in flight back: they end as cancelled. Not those that were taken from a replica
  // before: what makes one replica hang must not be tried on all.
  void Abandon();

  void OnBatchEnded(Batch& batch, net::CallResult result) override;

 private:
  class Probe;
  void OnState(net::ClientChannel::State state);
  void OnProbeEnded(bool alive);

  ReplicaOwner& owner_;
  net::EventLoop& loop_;
  const Endpoint endpoint_;
  const telemetry::NameId name_;
  ReplicaStats& stats_;
  const Clock& clock_;
  batching::Pace pace_;
  batching::Pace::Ran ran_{};
  TimeNs free_since_ = 0;  // when a batch ended, or it came into rotation, whichever was later
  std::vector<std::unique_ptr<Batch>> in_flight_;  // in the order of the pace's
  net::ClientChannel::State state_;
  std::unique_ptr<Probe> probe_;  // while suspect
  std::unique_ptr<net::ClientChannel> channel_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_REPLICA_H_
