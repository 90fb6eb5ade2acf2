#include "services/replica.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "services/peer_options.h"

namespace skysail::services {
namespace {

using State = net::ClientChannel::State;

// From sealing a batch here to the replica having it decoded.
constexpr TimeNs kWayToReplica = 150 * kMicrosecond;
// How long a suspect replica may take for one request before it is asked again.
constexpr TimeNs kProbePatience = 30 * kSecond;
// What runs may take so many times what was learned, and at least the objective within these bounds:
// below, a pause of the machine would count as hung; above, calls would have no time left.
constexpr int kOverdueFactor = 4;
constexpr TimeNs kLeastPatience = 250 * kMillisecond;
constexpr TimeNs kMostPatience = kSecond;
// Weight of the newest estimate's error in their mean.
constexpr double kSurpriseGain = 0.1;

}  // namespace

// A copy of a request whose answer only tells that the model runs.
class Replica::Probe final : public net::ClientStreamHandler {
 public:
  Probe(Replica& replica, Bytes request) : replica_(replica), request_(std::move(request)) {
    Ask();
  }
  ~Probe() {
    if (stream_ == nullptr) return;
    closing_ = true;
    stream_->Cancel();
  }
  void OnMessage(Slice) override {}
  void OnDone(net::CallResult result) override {
    stream_ = nullptr;
    if (closing_) return;
    switch (result.status.kind()) {
      case ErrorKind::kDeadlineExceeded:
        Ask();
        return;
      case ErrorKind::kUnavailable:
      case ErrorKind::kCancelled:
        // The connection went. A new one leads to a process that has nothing running.
        replica_.OnProbeEnded(false);
        return;
      default:
        replica_.OnProbeEnded(true);
    }
  }

 private:
  void Ask() {
    net::CallOptions options;
    options.deadline = replica_.clock_.Now() + kProbePatience;
    stream_ = replica_.channel_->StartUnary("/inference.GRPCInferenceService/ModelInfer", options,
                                            request_, this);
  }
  Replica& replica_;
  const Bytes request_;
  net::ClientStream* stream_ = nullptr;
  bool closing_ = false;
};

Replica::Replica(ReplicaOwner& owner, net::EventLoop& loop, Endpoint endpoint,
                 net::Address address, batching::LimitOptions limits, const Clock& clock)
    : owner_(owner), loop_(loop), endpoint_(std::move(endpoint)), clock_(clock),
      controller_(limits), state_(State::kConnecting),
      channel_(std::make_unique<net::ClientChannel>(loop, address, PeerOptions(address))) {
  channel_->SetStateListener([this](State state) { OnState(state); });
  channel_->Connect();
  state_ = channel_->state();
}

Replica::~Replica() {
  channel_->SetStateListener(nullptr);
  probe_.reset();
  channel_.reset();  // ends what is in flight
}

bool Replica::hopeful() const {
  return state_ == State::kConnecting || state_ == State::kIdle ||
         (state_ == State::kReady && probe_ != nullptr);
}

TimeNs Replica::SealAt() const {
  const TimeNs expected = controller_.Estimate(in_flight_.front()->rows());
  const TimeNs margin = kWayToReplica + static_cast<TimeNs>(2 * surprise_ns_);
  return running_since_ + expected - margin;
}

TimeNs Replica::FreeAt(TimeNs now) const {
  if (in_flight_.empty()) return now;
  TimeNs at = std::max(now, running_since_ + controller_.Estimate(in_flight_.front()->rows()));
  if (in_flight_.size() > 1) at += controller_.Estimate(in_flight_.back()->rows());
  return at;
}

TimeNs Replica::Margin(int64_t rows) const {
  // One very late batch must not keep calls away that would show that it was an exception.
  return std::min(static_cast<TimeNs>(2 * surprise_ns_), controller_.Estimate(rows) / 4);
}

void Replica::Send(std::unique_ptr<Batch> batch, Bytes request) {
  const TimeNs now = clock_.Now();
  if (in_flight_.empty()) running_since_ = now;
  Batch& sent = *batch;
  in_flight_.push_back(std::move(batch));
  sent.Send(*channel_, std::move(request), now);
}

bool Replica::WorthGathering(int64_t waiting, int64_t limit, TimeNs objective) const {
  const batching::Gathering::Scene scene{controller_.Estimate(1), objective, waiting, limit};
  return gathering_.Target(in_flight_.front()->rows(), scene) > waiting;
}

TimeNs Replica::Learn(const Batch& batch, TimeNs objective, bool late, int64_t waiting,
                      int64_t limit) {
  // What was staged ran from the end of the one before.
  const TimeNs began = std::max(batch.sent(), last_ended_);
  const TimeNs now = clock_.Now();
  const TimeNs took = now - began;
  last_ended_ = now;
  if (late && took <= objective) return took;
  if (!late) {
    const TimeNs expected = controller_.Estimate(batch.rows());
    if (expected > 0) {
      surprise_ns_ += kSurpriseGain *
                      (std::abs(static_cast<double>(took - expected)) - surprise_ns_);
    }
  }
  controller_.Observe(batch.rows(), took, objective, batch.full());
  gathering_.OnAnswered(batch.rows(), now, {controller_.Estimate(1), objective, waiting, limit});
  return took;
}

TimeNs Replica::OverdueAt(TimeNs objective) const {
  if (in_flight_.empty()) return kNever;
  const TimeNs expected = controller_.Estimate(in_flight_.front()->rows());
  const TimeNs patience = std::clamp(objective, kLeastPatience, kMostPatience);
  return running_since_ + std::max(kOverdueFactor * expected, expected + patience);
}

void Replica::Abandon() {
  std::vector<Batch*> taken;
  for (const auto& batch : in_flight_) {
    if (!batch->retried()) taken.push_back(batch.get());
  }
  for (Batch* batch : taken) batch->TakeBack();
}

void Replica::Suspect(Bytes request) {
  if (probe_ != nullptr || state_ != State::kReady) return;
  probe_ = std::make_unique<Probe>(*this, std::move(request));
  owner_.OnReplicaChanged();
}

void Replica::OnProbeEnded(bool) {
  // Called by the probe, which must outlive its own call.
  loop_.Post([dead = std::shared_ptr<Probe>(std::move(probe_))] {});
  owner_.OnReplicaChanged();
}

void Replica::OnBatchEnded(Batch& batch, net::CallResult result) {
  const auto at = std::find_if(in_flight_.begin(), in_flight_.end(),
                               [&batch](const auto& held) { return held.get() == &batch; });
  std::unique_ptr<Batch> ended = std::move(*at);
  in_flight_.erase(at);
  running_since_ = clock_.Now();
  const bool lost = result.status.kind() == ErrorKind::kUnavailable && !result.unprocessed &&
                    result.trailers.empty();
  owner_.OnBatchDone(*this, std::move(ended), std::move(result), lost);
}

void Replica::OnState(State state) {
  const bool was_ready = ready();
  state_ = state;
  if (state == State::kIdle) {
    // A connection that ended in good order: make a new one without waiting for work.
    loop_.Post([this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) channel_->Connect();
    });
  }
  if (ready() != was_ready || !hopeful()) owner_.OnReplicaChanged();
}

}  // namespace skysail::services
