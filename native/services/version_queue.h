// The calls that wait for one model version, and the replicas that serve them.
//
// Earliest deadline first; a free replica pulls what waits, at once but where waiting a moment was seen to
// pay: for returning callers (batching/gathering.h), or for more of a steady stream (batching/spacing.h).
// Requests that arrive in one turn of the loop are dispatched at its end, so that they meet in one batch at
// no cost in time.
// Applications share the replicas by class and weight (batching/fair_order.h). What cannot be in time
// is refused at once, or dropped before dispatch when that shows later, so that replicas compute only
// what is still of use. A batch whose
// replica was lost is run again elsewhere, each member alone, once; work that certainly did not run is
// put back. Equal queries in flight run once.
#ifndef SKYSAIL_SERVICES_VERSION_QUEUE_H_
#define SKYSAIL_SERVICES_VERSION_QUEUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "batching/batch_queue.h"
#include "batching/dispatch.h"
#include "cache/prediction_cache.h"
#include "net/event_loop.h"
#include "services/config.h"
#include "services/flight_table.h"
#include "services/infer_call.h"
#include "services/lanes.h"
#include "services/replica.h"
#include "services/version_stats.h"
#include "services/work.h"
#include "telemetry/names.h"

namespace skysail::services {

// Where the answers of a version are kept; nothing is kept without a cache.
struct CachePlace {
  std::shared_ptr<cache::PredictionCache> cache;
  cache::Space space = 0;
  TimeNs ttl = 0;
};

// Home loop only, the destructor included (see MakeVersionQueue), except where said.
class VersionQueue final : public WorkOwner, public ReplicaOwner, public net::Flushable {
 public:
  // Any thread. Calls wait until the first Configure.
  VersionQueue(net::EventLoop& home, std::shared_ptr<const ServedVersion> version,
               batching::QueueOptions options, std::shared_ptr<VersionStats> stats,
               const Clock& clock);
  ~VersionQueue();

  net::EventLoop& home() const { return home_; }  // any thread

  // Takes over a (new) configuration: replicas that are in both keep their channels and what was
  // learned of them, the others are let go once what they run has ended.
  void Configure(std::shared_ptr<const ServedVersion> version, CachePlace place);
  // No more calls will be taken; those that wait are still served while there are replicas.
  // `self` keeps the queue until they have been answered.
  void Retire(std::shared_ptr<VersionQueue> self);
  // A call of this loop, checked: its request has its rows. `key` empty: neither cached nor joined.
  void Enqueue(InferCall call, Slice key, uint64_t key_hash) {
    Enqueue(std::move(call), std::move(key), key_hash, clock_.Now());
  }
  // Likewise, but it may be that the cache knows the answer; `key` is not empty. Looked up at the end of the
  // turn, with those that come in it: by then the memory that a look-up touches has come, for which
  // each would wait by itself otherwise. Nothing is answered later for it, since what a turn answers is
  // sent at its end.
  void LookUp(InferCall call, Slice key, uint64_t key_hash) {
    arrivals_.push_back({std::move(call), std::move(key), key_hash});
    Schedule();
  }

  void Flush() override;
  void OnCallerLeft(Work& work, const Ticket& left) override;
  void OnBatchDone(Replica& replica, std::unique_ptr<Batch> batch, net::CallResult result,
                   bool lost) override;
  void OnReplicaChanged() override;

 private:
  struct Arrival {
    InferCall call;
    Slice key;
    uint64_t key_hash;
  };
  void TakeArrivals();
  void Enqueue(InferCall call, Slice key, uint64_t key_hash, TimeNs now);
  std::unique_ptr<Work> NewWork(InferCall call, TimeNs now, Slice key, uint64_t key_hash);
  bool Join(InferCall* call, const Slice& key, uint64_t key_hash, TimeNs now);
  // Moves a work that waits to where one who has joined it would wait, if that is sooner.
  void Hasten(Work& work, TimeNs deadline, uint32_t lane);
  // Puts it into the queue, where need be in the place of another; answers who finds no room.
  void Push(std::unique_ptr<Work> work);
  std::string GroupOf(const Work& work);
  TimeNs TimeLeft(const Work& work, TimeNs now) const;
  void Refuse(Ticket& ticket, Refusal why, TimeNs retry_after);
  void Pump();
  void Dispatch(Replica& replica, TimeNs now);
  // Takes the next batch for `replica` into taken_, and who cannot be served by the time that it
  // returns into expired_.
  TimeNs TakeFor(const Replica& replica, TimeNs now);
  void ExpireDue();
  // Takes hung replicas out of rotation, and what they hold back from them where another can take it.
  void DoubtOverdue();
  void Suspect(Replica& replica, const Work& work);
  void Expire(std::unique_ptr<Work> work, TimeNs now, TimeNs by);
  void FailWaiting(const Status& status);

  void Deliver(Batch& batch, const BatchEnd& end);
  cache::PredictionCache::Key CacheKeyOf(const Work& work) const;
  void Requeue(std::unique_ptr<Work> work);
  // Ends the work: `response` is the first caller's; those who joined it are put into the queue anew,
  // each for itself. `end`: of the batch that it ran in, if it ran.
  void FailFirst(std::unique_ptr<Work> work, const InferResponse& response,
                 const BatchEnd* end = nullptr);
  void Answer(Work& work, const Bytes& payload, const BatchEnd& end);
  void RecordBatch(const BatchEnd& end, ErrorKind status);
  // The spans of one caller's wait, and of its part of a batch if it was in one.
  void RecordWait(const Ticket& ticket, ErrorKind status, TimeNs now, const BatchEnd* end,
                  uint8_t flags = 0);
  void Finish(Ticket& ticket, InferResponse response, const BatchEnd* end = nullptr);

  batching::Terms TermsAt(TimeNs now) const;
  // The paces of the replicas that are in rotation; valid until the next call of it.
  const batching::Paces& PacesOf();
  void Schedule() { home_.FlushAtEndOfTurn(this); }
  void UpdateGauges();

  // Constant after construction.
  net::EventLoop& home_;
  const std::shared_ptr<VersionStats> stats_;
  const Clock& clock_;

  // Owned by the home loop. A queued work is owned by the queue: Push lets go of it, and whoever takes
  // it out (Take, TakeExpired, Remove) owns it again.
  batching::BatchQueue queue_;
  Lanes lanes_;
  batching::Dispatch dispatch_;
  FlightTable flights_;
  std::shared_ptr<const ServedVersion> version_;
  CachePlace place_;
  telemetry::NameId model_name_ = 0, version_name_ = 0;
  bool stackable_ = false;
  bool configured_ = false;
  bool retired_ = false;
  std::shared_ptr<VersionQueue> self_;  // while retired and not done
  bool closing_ = false;
  uint64_t alone_ = 0;  // numbers the groups of works that run alone
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<std::unique_ptr<Replica>> leaving_;  // out of the configuration, with work to end
  net::Timer seal_timer_, expiry_timer_, overdue_timer_;
  TimeNs expiry_at_ = kNever, overdue_at_ = kNever;
  std::vector<Arrival> arrivals_, looking_up_;  // to be looked up; those that are
  std::vector<batching::QueueEntry*> taken_, expired_;  // scratch
  batching::Paces paces_;                             // scratch
};

// A queue that is destroyed on its home loop, while that runs, whoever lets go of it last.
std::shared_ptr<VersionQueue> MakeVersionQueue(net::EventLoop& home,
                                               std::shared_ptr<const ServedVersion> version,
                                               batching::QueueOptions options,
                                               std::shared_ptr<VersionStats> stats,
                                               const Clock& clock);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_VERSION_QUEUE_H_
