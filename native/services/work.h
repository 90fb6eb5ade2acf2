// One thing to compute, and the callers that wait for it.
//
// A batcher runs equal queries in flight once: the first caller's request is the work, later equal
// ones join it. A caller that leaves takes only itself; the work is given up when the last has left.
// Everything here belongs to one version's queue and its home loop.
#ifndef SKYSAIL_SERVICES_WORK_H_
#define SKYSAIL_SERVICES_WORK_H_

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/slice.h"
#include "batching/batch_queue.h"
#include "services/infer_call.h"

namespace skysail::services {

struct Work;
class Batch;
class Ticket;

// Told when a caller of a work has left. The ticket is answered by then.
class WorkOwner {
 public:
  virtual void OnCallerLeft(Work& work, const Ticket& left) = 0;

 protected:
  ~WorkOwner() = default;
};

// One caller's wait.
class Ticket final : public CancelHandler {
 public:
  Ticket(WorkOwner& owner, Work& work, InferCall call, TimeNs arrived, bool joined, uint32_t lane)
      : arrived(arrived), joined(joined), lane(lane), since(arrived), owner_(owner), work_(work),
        call_(std::move(call)) {
    call_.scope()->SetHandler(this);
  }
  bool waiting() const { return waiting_; }
  TimeNs deadline() const { return call_.deadline(); }
  void Answer(InferResponse response) {
    waiting_ = false;
    call_.Finish(std::move(response));
  }
  // The call itself, to be put elsewhere; this ticket no longer waits.
  InferCall Release() {
    waiting_ = false;
    call_.scope()->SetHandler(nullptr);
    return std::move(call_);
  }
  InferCall& call() { return call_; }
  const InferCall& call() const { return call_; }
  void OnCancel() override {
    Answer(InferResponse::Error(Cancelled("the caller left")));
    owner_.OnCallerLeft(work_, *this);  // may destroy this
  }

  const TimeNs arrived;
  const bool joined;  // came while the work was in flight already
  const uint32_t lane;  // of the queue: its own application's
  uint32_t depth = 0;   // how many waited as it came
  TimeNs since;         // when it came, or its latest batch was lost
  telemetry::SpanId run = 0;  // its part of the batch that it is in, or was last

 private:
  WorkOwner& owner_;
  Work& work_;
  InferCall call_;
  bool waiting_ = true;
};

struct Work final : batching::QueueEntry {
  std::unique_ptr<InferRequest> request;  // the first caller's, kept when that one leaves
  std::vector<std::unique_ptr<Ticket>> tickets;
  Slice key;                // what the prediction cache compares; empty: neither cached nor joined
  uint64_t key_hash = 0;
  Work* next_in_bucket = nullptr;  // of the flight table
  Batch* batch = nullptr;   // that runs it now
  int refusals = 0;         // by replicas that certainly did not run it
  bool retried = false;     // was running when a replica was lost or hung

  bool wanted() const {
    return std::any_of(tickets.begin(), tickets.end(),
                       [](const auto& ticket) { return ticket->waiting(); });
  }
  // The earliest and the latest deadline among the callers that still wait.
  TimeNs EarliestDeadline() const {
    TimeNs at = kNever;
    for (const auto& ticket : tickets) {
      if (ticket->waiting()) at = std::min(at, ticket->deadline());
    }
    return at;
  }
  TimeNs LatestDeadline() const {
    TimeNs at = 0;
    for (const auto& ticket : tickets) {
      if (ticket->waiting()) at = std::max(at, ticket->deadline());
    }
    return at;
  }
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_WORK_H_
