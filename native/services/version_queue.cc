#include "services/version_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "oip/transform.h"
#include "services/batch_message.h"
#include "services/kept_answer.h"
#include "services/reserved.h"
#include "telemetry/open_span.h"

namespace skysail::services {
namespace {

// When a queue that was full may have room.
constexpr TimeNs kRoomAfter = 10 * kMillisecond;
// How often replicas may turn a work away before it is told so.
constexpr int kMostRefusals = 8;

InferResponse Failure(ErrorKind kind, std::string message, bool unprocessed = false) {
  InferResponse response = InferResponse::Error(Status(kind, std::move(message)));
  response.unprocessed = unprocessed;
  return response;
}

// Where the time of a batch went, as its replica tells where that is ours.
BatchEnd EndOf(const Batch& batch, const Replica& replica, const net::Metadata& trailers, TimeNs now) {
  BatchEnd end{batch.times(), now, {}};
  Timing told;
  Timing& ran = end.ran;
  const TimeNs away = now - end.times.dispatched;
  if (ParseTiming(trailers.Get(kTimingTrailer), &told) && told.served_us > 0) {
    ran.staged_us = told.staged_us;
    ran.model_us = told.model_us;
    ran.hop_us = Timing::Us(away - told.served_us * kMicrosecond);
  } else {
    const TimeNs took = std::min(replica.ran().took, away);
    ran.staged_us = Timing::Us(away - took);
    ran.model_us = Timing::Us(took);
  }
  ran.batch = end.times.id;
  ran.batch_rows = static_cast<uint32_t>(batch.rows());
  ran.limit_rows = static_cast<uint32_t>(end.times.limit_rows);
  ran.replica = replica.endpoint().id;
  return end;
}

// Gives each caller's part of a batch an id; whether any of them is in a trace that is sampled.
bool NameRuns(const std::vector<std::unique_ptr<Work>>& members) {
  if (telemetry::SpanRing::OfThisThread() == nullptr) return false;
  bool sampled = false;
  for (const auto& work : members) {
    for (const auto& ticket : work->tickets) {
      if (!ticket->waiting() || !ticket->call().trace.trace) continue;
      ticket->run = telemetry::NewId();
      sampled = sampled || ticket->call().trace.sampled();
    }
  }
  return sampled;
}

// The same for a member that arrived then. One that joined a batch under way waited for less of it.
Timing TimingOf(TimeNs arrived, const BatchEnd& end) {
  Timing timing = end.ran;
  if (arrived <= end.times.dispatched) {
    const TimeNs filling = std::clamp(end.times.filling_since, arrived, end.times.dispatched);
    timing.queue_us = Timing::Us(filling - arrived);
    timing.fill_us = Timing::Us(end.times.dispatched - filling);
    return timing;
  }
  uint32_t left = Timing::Us(end.at - arrived);
  for (uint32_t* stage : {&timing.model_us, &timing.staged_us, &timing.hop_us}) {
    *stage = std::min(*stage, left);
    left -= *stage;
  }
  return timing;
}

bool IsStackable(const ServedVersion& version) {
  return version.signature.has_value() && version.signature->Stackable();
}

}  // namespace

std::shared_ptr<VersionQueue> MakeVersionQueue(net::EventLoop& home,
                                               std::shared_ptr<const ServedVersion> version,
                                               batching::QueueOptions options,
                                               std::shared_ptr<VersionStats> stats,
                                               const Clock& clock) {
  return std::shared_ptr<VersionQueue>(
      new VersionQueue(home, std::move(version), options, std::move(stats), clock),
      [](VersionQueue* queue) {
        // Held by the task, so that a loop that never runs it again still destroys the queue.
        std::shared_ptr<VersionQueue> last(queue);
        if (!last->home().running()) return;
        last->home().Post([last]() mutable { last.reset(); });
      });
}

VersionQueue::VersionQueue(net::EventLoop& home, std::shared_ptr<const ServedVersion> version,
                           batching::QueueOptions options, std::shared_ptr<VersionStats> stats,
                           const Clock& clock)
    : home_(home), stats_(std::move(stats)), clock_(clock), queue_(options),
      lanes_(queue_, *stats_), version_(std::move(version)), stackable_(IsStackable(*version_)),
      seal_timer_([this] { Schedule(); }), expiry_timer_([this] { Schedule(); }),
      overdue_timer_([this] { Schedule(); }) {}

VersionQueue::~VersionQueue() {
  TakeArrivals();
  closing_ = true;
  FailWaiting(Status(ErrorKind::kUnavailable, "the batcher is going away"));
  replicas_.clear();
  leaving_.clear();
  home_.ForgetFlush(this);
}

void VersionQueue::Configure(std::shared_ptr<const ServedVersion> version, CachePlace place) {
  version_ = std::move(version);
  model_name_ = telemetry::Names::Get().Intern(version_->model);
  version_name_ = telemetry::Names::Get().Intern(version_->version);
  place_ = std::move(place);
  configured_ = true;
  lanes_.Configure(version_->shares);
  stackable_ = IsStackable(*version_);
  batching::LimitOptions limits;
  limits.max_rows = version_->max_batch_rows;
  if (stackable_ && version_->signature->max_rows > 0) {
    limits.max_rows = std::min(limits.max_rows, version_->signature->max_rows);
  }
  std::vector<std::unique_ptr<Replica>> kept;
  for (const Endpoint& endpoint : version_->replicas) {
    const auto known =
        std::find_if(replicas_.begin(), replicas_.end(), [&endpoint](const auto& replica) {
          return replica != nullptr && replica->endpoint().id == endpoint.id &&
                 replica->endpoint().address == endpoint.address;
        });
    if (known != replicas_.end()) {
      (*known)->pace().SetMaxRows(limits.max_rows);
      kept.push_back(std::move(*known));
      continue;
    }
    Result<net::Address> address = net::Address::Parse(endpoint.address);
    if (!address.ok()) continue;  // refused by Batcher::Publish
    kept.push_back(std::make_unique<Replica>(*this, home_, endpoint, std::move(address.value()),
                                             limits, stats_->AddReplica(endpoint.label), clock_));
  }
  for (auto& replica : replicas_) {
    if (replica != nullptr && !replica->idle()) leaving_.push_back(std::move(replica));
  }
  replicas_ = std::move(kept);
  Schedule();
}

void VersionQueue::Retire(std::shared_ptr<VersionQueue> self) {
  TakeArrivals();  // they came before
  retired_ = true;
  self_ = std::move(self);
  Schedule();
}

void VersionQueue::TakeArrivals() {
  if (arrivals_.empty()) return;
  const TimeNs now = clock_.Now();
  looking_up_.swap(arrivals_);
  for (Arrival& arrival : looking_up_) {
    if (place_.cache != nullptr && !arrival.call.scope()->cancelled()) {
      const cache::PredictionCache::Key key{place_.space, arrival.key.view(), arrival.key_hash};
      auto kept = KeptAnswer(*place_.cache, key, arrival.call.trace,
                             {*version_, model_name_, version_name_, *stats_, clock_});
      if (kept.has_value()) {
        arrival.call.Finish(std::move(*kept));
        continue;
      }
    }
    Enqueue(std::move(arrival.call), std::move(arrival.key), arrival.key_hash, now);
  }
  looking_up_.clear();
}

void VersionQueue::Enqueue(InferCall call, Slice key, uint64_t key_hash, TimeNs now) {
  if (retired_) {
    stats_->calls.Ended(ErrorKind::kUnavailable);
    call.Finish(Failure(ErrorKind::kUnavailable,
                        "model '" + version_->model + "' version '" + version_->version +
                            "' is no longer served here",
                        true));
    return;
  }
  if (call.scope()->cancelled()) {
    stats_->calls.Ended(ErrorKind::kCancelled);
    call.Finish(InferResponse::Error(Cancelled("the caller left")));
    return;
  }
  if (!key.empty() && Join(&call, key, key_hash, now)) return;
  std::unique_ptr<Work> work = NewWork(std::move(call), now, std::move(key), key_hash);
  const batching::Paces& paces = PacesOf();
  dispatch_.OnArrival(work->rows, now, paces, queue_);
  const TimeNs left = TimeLeft(*work, now);
  const TimeNs wait = dispatch_.WaitAhead(*work, left, paces, queue_, TermsAt(now), now);
  if (wait > 0 && wait > left) return Refuse(*work->tickets[0], Refusal::kWaitAhead, wait - left);
  if (!work->key.empty()) flights_.Add(work.get());
  Push(std::move(work));
}

std::unique_ptr<Work> VersionQueue::NewWork(InferCall call, TimeNs now, Slice key,
                                            uint64_t key_hash) {
  auto work = std::make_unique<Work>();
  work->request = call.TakeRequest();
  work->rows = work->request->rows;
  work->deadline = call.deadline();
  work->enqueued = now;
  work->key = std::move(key);
  work->key_hash = key_hash;
  work->lane = lanes_.LaneOf(work->request->application, work->request->priority_wish, now);
  work->tickets.push_back(
      std::make_unique<Ticket>(*this, *work, std::move(call), now, false, work->lane));
  work->tickets.back()->depth = static_cast<uint32_t>(queue_.entries());
  return work;
}

bool VersionQueue::Join(InferCall* call, const Slice& key, uint64_t key_hash, TimeNs now) {
  Work* work = flights_.Find(key.view(), key_hash);
  if (work == nullptr) return false;
  stats_->coalesced.Add();
  const TimeNs deadline = call->deadline();
  const uint32_t lane =
      lanes_.LaneOf(call->request().application, call->request().priority_wish, now);
  work->tickets.push_back(
      std::make_unique<Ticket>(*this, *work, std::move(*call), now, true, lane));
  work->tickets.back()->depth = static_cast<uint32_t>(queue_.entries());
  Hasten(*work, deadline, lane);
  return true;
}

void VersionQueue::Hasten(Work& work, TimeNs deadline, uint32_t lane) {
  if (!work.queued()) return;
  const bool higher = lanes_.priority(lane) < lanes_.priority(work.lane);
  const bool shorter = lane != work.lane && lanes_.priority(lane) == lanes_.priority(work.lane) &&
                       queue_.Backlog(lane) < queue_.Backlog(work.lane);
  if (!higher && !shorter && deadline >= work.deadline) return;
  queue_.Remove(&work);
  if (higher || shorter) work.lane = lane;
  work.deadline = std::min(work.deadline, deadline);
  Push(std::unique_ptr<Work>(&work));
}

// Which works it may share a batch with: none, when it was running as a replica was lost. It may be
// this very request that ended the replica; alone it can take no other with it.
std::string VersionQueue::GroupOf(const Work& work) {
  if (work.retried) return "alone " + std::to_string(++alone_);
  return stackable_ ? oip::BatchGroup(work.request->view) : std::string();
}

void VersionQueue::Push(std::unique_ptr<Work> work) {
  work->batch = nullptr;
  const std::string group = GroupOf(*work);
  while (!queue_.Push(work.get(), group)) {
    batching::QueueEntry* const in_the_way = queue_.InTheWayOf(*work);
    std::unique_ptr<Work> leaving = std::move(work);
    if (in_the_way != nullptr) {
      queue_.Remove(in_the_way);
      work = std::exchange(leaving, std::unique_ptr<Work>(static_cast<Work*>(in_the_way)));
    }
    flights_.Remove(leaving.get());
    for (size_t i = 0; i < leaving->tickets.size(); ++i) {
      if (!leaving->tickets[i]->waiting()) continue;
      Refuse(*leaving->tickets[i], work != nullptr ? Refusal::kMadeRoom : Refusal::kQueueFull,
             kRoomAfter);
    }
    if (work == nullptr) return;
  }
  if (work->deadline < expiry_at_) {
    expiry_at_ = work->deadline;
    expiry_timer_.Set(home_, expiry_at_);
  }
  work.release();  // the queue's from here on
  Schedule();
}

// Until the deadline, less the answer's way and as much again: who is let in should not be dropped later
// for a little less than was expected.
TimeNs VersionQueue::TimeLeft(const Work& work, TimeNs now) const {
  return work.deadline - now - 2 * TermsAt(now).AnswerAllowance();
}

void VersionQueue::Refuse(Ticket& ticket, Refusal why, TimeNs retry_after) {
  lanes_.stats(ticket.lane).refused[static_cast<size_t>(why)].Add();
  const std::string model = "model '" + version_->model + "'";
  std::string reason;
  switch (why) {
    case Refusal::kWaitAhead:
      reason = "the wait for " + model + " is longer than the time until the deadline";
      break;
    case Refusal::kQueueFull:
      reason = "the queue of " + model + " is full (" + std::to_string(queue_.entries()) +
               " requests wait)";
      break;
    case Refusal::kMadeRoom:
      reason = "the queue of " + model + " is full, and most of it is this application's";
      break;
    case Refusal::kTooLate:
      reason = model + " would not have answered before the deadline";
      break;
    case Refusal::kExpired:
      return Finish(ticket, Failure(ErrorKind::kDeadlineExceeded,
                                    "the deadline passed while the request waited for a replica of " +
                                        model,
                                    true));
  }
  const TimeNs after = std::max(retry_after, kMillisecond);
  InferResponse refusal =
      Failure(ErrorKind::kResourceExhausted,
              reason + ": try again in " + std::to_string(after / kMillisecond) + " ms", true);
  refusal.retry_after = after;
  Finish(ticket, std::move(refusal));
}

batching::Terms VersionQueue::TermsAt(TimeNs now) const {
  batching::Terms terms;
  terms.objective = version_->objective;
  terms.max_rows = stackable_ ? version_->max_batch_rows : 1;
  terms.shared = lanes_.shared(now);
  terms.delay = version_->delay;
  return terms;
}

const batching::Paces& VersionQueue::PacesOf() {
  paces_.clear();
  for (const auto& replica : replicas_) {
    paces_.push_back(replica->ready() ? &replica->pace() : nullptr);
  }
  return paces_;
}

void VersionQueue::Flush() {
  TakeArrivals();
  ExpireDue();
  Pump();
  DoubtOverdue();
  UpdateGauges();
  const bool busy = !queue_.empty() || !leaving_.empty() ||
                    std::any_of(replicas_.begin(), replicas_.end(),
                                [](const auto& replica) { return !replica->idle(); });
  if (retired_ && !busy) home_.Post([last = std::move(self_)]() mutable { last.reset(); });
}

void VersionQueue::Pump() {
  seal_timer_.Cancel();
  const TimeNs now = clock_.Now();
  if (queue_.empty()) dispatch_.OnChange(PacesOf(), queue_, now);
  if (queue_.empty() || !configured_) return;
  TimeNs wake_at = kNever;
  while (!queue_.empty()) {
    const batching::Dispatch::Next next =
        dispatch_.Choose(PacesOf(), queue_, TermsAt(now), now);
    wake_at = next.wake_at;
    if (next.replica == batching::Dispatch::kNobody) break;
    Dispatch(*replicas_[next.replica], now);
  }
  if (queue_.empty()) return;
  if (wake_at != kNever) seal_timer_.Set(home_, wake_at);
  const bool hope = std::any_of(replicas_.begin(), replicas_.end(), [](const auto& replica) {
    return replica->ready() || replica->hopeful();
  });
  if (!hope) {
    FailWaiting(Status(ErrorKind::kUnavailable,
                       "no replica of model '" + version_->model + "' version '" +
                           version_->version + "' can be reached (" +
                           std::to_string(replicas_.size()) + " known)"));
  }
}

TimeNs VersionQueue::TakeFor(const Replica& replica, TimeNs now) {
  const batching::Terms terms = TermsAt(now);
  const int64_t limit = terms.LimitOf(replica.pace());
  const TimeNs needed = batching::Dispatch::Needed(replica.pace(), queue_, terms, now);
  taken_.clear();
  expired_.clear();
  queue_.Take(limit, now, needed, &taken_, &expired_);
  if (!taken_.empty() || !replica.idle() || expired_.empty()) return now + needed;
  // Nobody would be in time, if what was learned still holds: an idle replica tries.
  for (batching::QueueEntry* entry : expired_) {
    queue_.Push(entry, GroupOf(*static_cast<Work*>(entry)));  // it was there before: there is room
  }
  expired_.clear();
  queue_.Take(limit, now, 0, &taken_, &expired_);
  return now;
}

void VersionQueue::Dispatch(Replica& replica, TimeNs now) {
  const int64_t limit = TermsAt(now).LimitOf(replica.pace());
  const int64_t waiting = queue_.rows();
  const TimeNs answered_at = TakeFor(replica, now);
  std::vector<std::unique_ptr<Work>> members;
  members.reserve(taken_.size());
  int64_t rows = 0;
  TimeNs oldest = now;
  for (batching::QueueEntry* entry : taken_) {
    members.emplace_back(static_cast<Work*>(entry));
    rows += entry->rows;
    oldest = std::min(oldest, entry->enqueued);
    lanes_.stats(entry->lane).dispatched.Add();
    stats_->queue_ns.Record(static_cast<uint64_t>(std::max<TimeNs>(now - entry->enqueued, 0)));
  }
  std::vector<std::unique_ptr<Work>> late;
  for (batching::QueueEntry* entry : expired_) late.emplace_back(static_cast<Work*>(entry));
  if (!members.empty()) {
    const bool full = batching::Dispatch::Full(rows, waiting, limit);
    const TimeNs filling_since = replica.idle() ? std::max(replica.free_since(), oldest) : now;
    stats_->batches.Add();
    stats_->fill_ns.Record(static_cast<uint64_t>(std::max<TimeNs>(now - filling_since, 0)));
    stats_->batch_rows.Record(static_cast<uint64_t>(rows));
    Bytes request = BatchRequest(members, version_->model, version_->version);
    const BatchTimes times{telemetry::NewId(), limit, filling_since, now, NameRuns(members), replica.name()};
    replica.Send(std::make_unique<Batch>(replica, std::move(members), rows, full, times),
                 std::move(request));
  }
  for (auto& work : late) Expire(std::move(work), now, answered_at);
}

void VersionQueue::ExpireDue() {
  const TimeNs now = clock_.Now();
  if (expiry_at_ > now) return;
  expired_.clear();
  queue_.TakeExpired(now, &expired_);
  std::vector<std::unique_ptr<Work>> late;
  for (batching::QueueEntry* entry : expired_) late.emplace_back(static_cast<Work*>(entry));
  expiry_at_ = queue_.NextDeadline();
  expiry_timer_.Set(home_, expiry_at_);
  for (auto& work : late) Expire(std::move(work), now, now);
}

// Answers the callers who cannot be served by `by`; the others wait on, if there are any.
void VersionQueue::Expire(std::unique_ptr<Work> work, TimeNs now, TimeNs by) {
  for (size_t i = 0; i < work->tickets.size(); ++i) {  // an answer may lead to another call joining
    Ticket& ticket = *work->tickets[i];
    if (!ticket.waiting() || ticket.deadline() > by) continue;
    Refuse(ticket, ticket.deadline() <= now ? Refusal::kExpired : Refusal::kTooLate,
           by - ticket.deadline());
  }
  if (work->wanted()) {
    Requeue(std::move(work));
  } else {
    flights_.Remove(work.get());
  }
}

void VersionQueue::DoubtOverdue() {
  const TimeNs now = clock_.Now();
  const TimeNs objective = TermsAt(now).BatchObjective();
  TimeNs next = kNever;
  for (const auto& replica : replicas_) {
    const TimeNs at = replica->pace().OverdueAt(objective);
    if (at > now) {
      next = std::min(next, at);
    } else if (!replica->suspect()) {
      replica->stats().hung.Add();
      Suspect(*replica, replica->running());
    }
  }
  const bool others = std::any_of(replicas_.begin(), replicas_.end(),
                                  [](const auto& replica) { return replica->ready(); });
  for (const auto& replica : replicas_) {
    if (others && replica->suspect()) replica->Abandon();
  }
  if (overdue_at_ <= now) overdue_at_ = kNever;  // the timer has fired
  if (next >= overdue_at_) return;               // it fires soon enough
  overdue_at_ = next;
  overdue_timer_.Set(home_, next);
}

void VersionQueue::Suspect(Replica& replica, const Work& work) {
  replica.Suspect(oip::ModelRequest(work.request->message, work.request->view, version_->model,
                                    version_->version));
}

void VersionQueue::FailWaiting(const Status& status) {
  std::vector<std::unique_ptr<Work>> waiting;
  expired_.clear();
  queue_.TakeExpired(kNever, &expired_);
  for (batching::QueueEntry* entry : expired_) waiting.emplace_back(static_cast<Work*>(entry));
  InferResponse response = InferResponse::Error(status);
  response.unprocessed = true;
  for (const auto& work : waiting) flights_.Remove(work.get());
  for (const auto& work : waiting) {
    for (const auto& ticket : work->tickets) {
      if (ticket->waiting()) Finish(*ticket, response);
    }
  }
}

void VersionQueue::OnCallerLeft(Work& work, const Ticket& left) {
  stats_->calls.Ended(ErrorKind::kCancelled);
  if (left.call().trace.trace) {
    const TimeNs now = clock_.Now();
    const BatchEnd end{work.batch != nullptr ? work.batch->times() : BatchTimes(), now, {}};
    RecordWait(left, ErrorKind::kCancelled, now, work.batch != nullptr ? &end : nullptr);
  }
  if (work.wanted()) return;
  flights_.Remove(&work);  // wherever it is: those who answer its batch pass over it
  if (work.queued()) {
    queue_.Remove(&work);
    const std::unique_ptr<Work> dropped(&work);
    Schedule();
  } else if (work.batch != nullptr) {
    work.batch->MemberLeft();
  }
}

void VersionQueue::OnReplicaChanged() { Schedule(); }

void VersionQueue::OnBatchDone(Replica& replica, std::unique_ptr<Batch> batch,
                               net::CallResult result, bool lost) {
  const ErrorKind kind = result.status.kind();
  const bool refused =
      result.unprocessed || result.trailers.Get(kUnprocessedTrailer).data() != nullptr;
  const bool late = (kind == ErrorKind::kDeadlineExceeded || kind == ErrorKind::kCancelled) &&
                    !batch->taken_back();
  const TimeNs now = clock_.Now();
  const BatchEnd end = EndOf(*batch, replica, result.trailers, now);
  for (const auto& work : batch->members()) work->batch = nullptr;
  if (kind == ErrorKind::kOk || (late && !lost && !refused)) {
    const batching::Terms terms = TermsAt(now);
    const TimeNs took = replica.ran().took;
    replica.pace().Learn(replica.ran(), late, now, terms.BatchObjective(), queue_.rows(),
                         terms.LimitOf(replica.pace()));
    if (!late) replica.stats().batch_ns.Record(static_cast<uint64_t>(std::max<TimeNs>(took, 0)));
    if (late && !closing_ && took > terms.BatchObjective()) {
      Suspect(replica, *batch->members()[0]);
    }
  }
  if (lost) replica.stats().lost.Add();
  if (telemetry::SpanRing::OfThisThread() != nullptr && (end.times.sampled || kind != ErrorKind::kOk)) {
    RecordBatch(end, kind);
  }

  if (kind == ErrorKind::kOk) {
    if (end.ran.hop_us > 0) replica.stats().hop_ns.Record(uint64_t{end.ran.hop_us} * kMicrosecond);
    Deliver(*batch, end);
  } else {
    InferResponse failure = InferResponse::Error(std::move(result.status));
    for (auto& work : batch->members()) {
      if (!work->wanted()) continue;
      if (closing_) {
        FailFirst(std::move(work), Failure(ErrorKind::kUnavailable, "the batcher is going away"));
      } else if (refused && ++work->refusals < kMostRefusals) {
        Requeue(std::move(work));
      } else if ((lost || kind == ErrorKind::kCancelled) && !work->retried) {
        work->retried = true;
        stats_->retried.Add();
        for (const auto& ticket : work->tickets) {
          if (!ticket->waiting()) continue;
          RecordWait(*ticket, kind, now, &end, telemetry::SpanRecord::kRetried);
          ticket->since = now;
        }
        Requeue(std::move(work));
      } else {
        FailFirst(std::move(work), failure, &end);
      }
    }
  }
  if (!replica.idle()) return Schedule();
  const auto leaving =
      std::find_if(leaving_.begin(), leaving_.end(),
                   [&replica](const auto& held) { return held.get() == &replica; });
  if (leaving != leaving_.end()) {
    // Its channel is telling us of this end: it must outlive the turn.
    home_.Post([gone = std::shared_ptr<Replica>(std::move(*leaving))] {});
    leaving_.erase(leaving);
  }
  Schedule();
}

void VersionQueue::Deliver(Batch& batch, const BatchEnd& end) {
  Result<std::vector<Bytes>> cut =
      CutAnswer(batch.answer(), batch.members(), version_->signature);
  if (place_.cache != nullptr && cut.ok()) {
    for (const auto& work : batch.members()) place_.cache->Prefetch(CacheKeyOf(*work));
  }
  for (size_t i = 0; i < batch.members().size(); ++i) {
    std::unique_ptr<Work> work = std::move(batch.members()[i]);
    if (!cut.ok()) {
      FailFirst(std::move(work), InferResponse::Error(cut.status()), &end);
      continue;
    }
    flights_.Remove(work.get());
    Bytes& payload = cut.value()[i];
    if (place_.cache != nullptr && !work->key.empty()) {
      const Slice value = payload.Flatten();
      place_.cache->Insert(CacheKeyOf(*work), value.view(), place_.ttl);  // keeps a copy
      payload = Bytes(value);
    }
    Answer(*work, payload, end);
  }
}

cache::PredictionCache::Key VersionQueue::CacheKeyOf(const Work& work) const {
  return {place_.space, work.key.view(), work.key_hash};
}

void VersionQueue::Requeue(std::unique_ptr<Work> work) {
  work->deadline = work->EarliestDeadline();
  Push(std::move(work));
}

void VersionQueue::FailFirst(std::unique_ptr<Work> work, const InferResponse& response,
                             const BatchEnd* end) {
  flights_.Remove(work.get());
  for (const auto& ticket : work->tickets) {
    if (!ticket->waiting()) continue;
    if (!ticket->joined || closing_) {
      Finish(*ticket, response, end);
      continue;
    }
    Enqueue(ticket->Release(), Slice(), 0);
  }
}

void VersionQueue::Answer(Work& work, const Bytes& payload, const BatchEnd& end) {
  for (const auto& ticket : work.tickets) {
    if (!ticket->waiting()) continue;
    InferResponse response;
    response.payload = payload;
    response.model = version_->model;
    response.version = version_->version;
    response.cache = work.key.empty()  ? CacheOutcome::kNone
                     : ticket->joined ? CacheOutcome::kCoalesced
                                      : CacheOutcome::kMiss;
    Finish(*ticket, std::move(response), &end);
  }
}

void VersionQueue::Finish(Ticket& ticket, InferResponse response, const BatchEnd* end) {
  const TimeNs now = end != nullptr ? end->at : clock_.Now();
  stats_->calls.Ended(response.status.kind(), now - ticket.arrived);
  if (end != nullptr) {
    response.timing = TimingOf(ticket.arrived, *end);
  } else {
    response.timing.queue_us = Timing::Us(now - ticket.arrived);  // all that it did here
  }
  if (ticket.call().trace.trace) RecordWait(ticket, response.status.kind(), now, end);
  ticket.Answer(std::move(response));
}

void VersionQueue::RecordBatch(const BatchEnd& end, ErrorKind status) {
  telemetry::SpanRecord record;
  record.trace = telemetry::TraceOfBatch(end.times.id);
  record.span = end.times.id;
  record.start = end.times.dispatched;
  record.end = end.at;
  record.stage = telemetry::Stage::kBatch;
  record.status = status;
  record.flags = end.times.sampled ? telemetry::SpanRecord::kSampled : 0;
  record.model = model_name_;
  record.version = version_name_;
  record.replica = end.times.replica;
  record.rows = end.ran.batch_rows;
  record.limit = end.ran.limit_rows;
  record.batch = end.times.id;
  telemetry::SpanRing::OfThisThread()->Record(record);
}

void VersionQueue::RecordWait(const Ticket& ticket, ErrorKind status, TimeNs now,
                              const BatchEnd* end, uint8_t flags) {
  telemetry::SpanRing* const ring = telemetry::SpanRing::OfThisThread();
  const TraceContext& trace = ticket.call().trace;
  if (ring == nullptr || !trace.trace) return;
  const bool wanted = trace.sampled() || status != ErrorKind::kOk;
  if (!wanted && (end == nullptr || !end->times.sampled)) return;
  const auto record = [&](telemetry::Stage stage, ErrorKind ended, TimeNs from, TimeNs to) {
    telemetry::SpanRecord part = telemetry::PartOf(trace, stage, ended, from, to);
    if (!wanted) part.flags |= telemetry::SpanRecord::kMate;  // its run alone, beside those of the batch
    part.model = model_name_;
    part.version = version_name_;
    return part;
  };
  const TimeNs dispatched = end != nullptr ? std::max(end->times.dispatched, ticket.since) : now;
  const TimeNs filling =
      end != nullptr ? std::clamp(end->times.filling_since, ticket.since, dispatched) : now;
  if (wanted) {
    telemetry::SpanRecord queued =
        record(telemetry::Stage::kQueue, end == nullptr ? status : ErrorKind::kOk, ticket.since, filling);
    queued.depth = ticket.depth;
    queued.deadline_left_us = telemetry::DeadlineLeftUs(ticket.deadline(), ticket.since);
    ring->Record(queued);
  }
  if (end == nullptr) return;
  if (wanted && dispatched > filling) {
    ring->Record(record(telemetry::Stage::kFill, ErrorKind::kOk, filling, dispatched));
  }
  telemetry::SpanRecord run = record(telemetry::Stage::kRun, status, dispatched, now);
  if (ticket.run != 0) run.span = ticket.run;
  run.flags |= flags;
  run.replica = end->times.replica;
  run.batch = end->times.id;
  run.cache = static_cast<uint8_t>(ticket.joined ? CacheOutcome::kCoalesced : CacheOutcome::kNone);
  run.deadline_left_us = telemetry::DeadlineLeftUs(ticket.deadline(), dispatched);
  ring->Record(run);
}

void VersionQueue::UpdateGauges() {
  int64_t limit = 0;
  uint64_t ready = 0, in_flight = 0;
  const batching::Terms terms = TermsAt(clock_.Now());
  for (const auto& replica : replicas_) {
    limit = std::max(limit, terms.LimitOf(replica->pace()));
    ready += replica->ready() ? 1 : 0;
    in_flight += replica->in_flight();
  }
  stats_->limit_rows.store(limit, std::memory_order_relaxed);
  stats_->queued.store(queue_.entries(), std::memory_order_relaxed);
  stats_->batches_in_flight.store(in_flight, std::memory_order_relaxed);
  stats_->replicas.store(replicas_.size(), std::memory_order_relaxed);
  stats_->replicas_ready.store(ready, std::memory_order_relaxed);
}

}  // namespace skysail::services
