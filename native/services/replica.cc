#include "services/replica.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/peer_options.h"

namespace skysail::services {
namespace {

using State = net::ClientChannel::State;

// How long a suspect replica may take for one request before it is asked again.
constexpr TimeNs kProbePatience = 30 * kSecond;

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
                 net::Address address, batching::LimitOptions limits, ReplicaStats& stats,
                 const Clock& clock)
    : owner_(owner), loop_(loop), endpoint_(std::move(endpoint)),
      name_(telemetry::Names::Get().Intern(endpoint_.id)), stats_(stats), clock_(clock),
      pace_(limits), state_(State::kConnecting),
      channel_(std::make_unique<net::ClientChannel>(loop, address, PeerOptions(endpoint_, address))) {
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

void Replica::Send(std::unique_ptr<Batch> batch, Bytes request) {
  pace_.Sent(batch->rows(), batch->full(), clock_.Now());
  in_flight_.push_back(std::move(batch));
  in_flight_.back()->Send(*channel_, std::move(request));
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
  free_since_ = clock_.Now();
  owner_.OnReplicaChanged();
}

void Replica::OnBatchEnded(Batch& batch, net::CallResult result) {
  const auto at = std::find_if(in_flight_.begin(), in_flight_.end(),
                               [&batch](const auto& held) { return held.get() == &batch; });
  std::unique_ptr<Batch> ended = std::move(*at);
  free_since_ = clock_.Now();
  ran_ = pace_.Ended(static_cast<size_t>(at - in_flight_.begin()), free_since_);
  in_flight_.erase(at);
  const bool lost = result.status.kind() == ErrorKind::kUnavailable && !result.unprocessed &&
                    result.trailers.empty();
  owner_.OnBatchDone(*this, std::move(ended), std::move(result), lost);
}

void Replica::OnState(State state) {
  const bool was_ready = ready();
  state_ = state;
  if (ready() && !was_ready) free_since_ = clock_.Now();
  if (ready() != was_ready || !hopeful()) owner_.OnReplicaChanged();
}

}  // namespace skysail::services
