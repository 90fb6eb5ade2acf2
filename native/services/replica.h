// One running copy of a version as its batcher sees it: a channel, and the credits for it.
//
// A replica computes one batch and has at most one more staged, so that it need not wait for the
// next. What is staged can no longer grow, so it is sealed as late as possible: when a full batch waits,
// or when the running one is about to end, going by what was learned.
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
#include "batching/gathering.h"
#include "batching/limit_controller.h"
#include "net/client_channel.h"
#include "net/event_loop.h"
#include "services/batch.h"
#include "services/config.h"

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
          batching::LimitOptions limits, const Clock& clock);
  // Batches in flight end with Cancelled.
  ~Replica();

  const Endpoint& endpoint() const { return endpoint_; }
  bool ready() const { return state_ == net::ClientChannel::State::kReady && probe_ == nullptr; }
  // Not ready, but it may be soon: worth waiting for.
  bool hopeful() const;
  size_t in_flight() const { return in_flight_.size(); }
  bool idle() const { return in_flight_.empty(); }
  const batching::LimitController& controller() const { return controller_; }
  void SetMaxRows(int64_t max_rows) { controller_.SetMaxRows(max_rows); }

  // When a less than full batch behind the one in flight should be sent at last. Requires one batch
  // in flight.
  TimeNs SealAt() const;
  // When the last batch in flight is expected to end; now when idle.
  TimeNs FreeAt(TimeNs now) const;
  // By how much a batch of `rows` rows may take longer than its estimate.
  TimeNs Margin(int64_t rows) const;

  // Rows were put into the queue that this replica serves.
  void OnArrival(int64_t rows, TimeNs now) { gathering_.OnArrival(rows, now); }
  // Whether it should stay free a moment longer, `waiting` rows being there, and until when at most.
  bool Holding(int64_t waiting, TimeNs now) const { return gathering_.Hold(waiting, now); }
  TimeNs hold_until() const { return gathering_.until(); }
  // Whether those whom the batch in flight will answer are worth waiting for before another batch is
  // sent. Requires a batch in flight.
  bool WorthGathering(int64_t waiting, int64_t limit, TimeNs objective) const;

  // Requires ready() and at most one batch in flight.
  void Send(std::unique_ptr<Batch> batch, Bytes request);
  // Learns from the batch that has just ended, and returns what the model took for it. `late`: given
  // up rather than answered, which says something only when its time was over. `objective` is what a
  // batch may take; `waiting` rows wait now, of which `limit` fit a batch.
  TimeNs Learn(const Batch& batch, TimeNs objective, bool late, int64_t waiting, int64_t limit);
  // When the batch that runs is so late that the model must be taken for hung; kNever when none runs.
  // `objective` as above.
  TimeNs OverdueAt(TimeNs objective) const;
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
  const Clock& clock_;
  batching::LimitController controller_;
  batching::Gathering gathering_;
  std::vector<std::unique_ptr<Batch>> in_flight_;  // running, staged
  TimeNs running_since_ = 0;  // since when the first of them has the replica to itself
  TimeNs last_ended_ = 0;
  double surprise_ns_ = 0;    // mean absolute error of recent estimates
  net::ClientChannel::State state_;
  std::unique_ptr<Probe> probe_;  // while suspect
  const std::shared_ptr<int> alive_ = std::make_shared<int>();  // for what is posted to the loop
  std::unique_ptr<net::ClientChannel> channel_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_REPLICA_H_
