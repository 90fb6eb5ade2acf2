#include "services/hop_endpoint.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "services/hop_frame.h"
#include "services/intake.h"
#include "services/serve_span.h"

namespace skysail::services {
namespace {

constexpr size_t kMaxUnsentBytes = size_t{4} << 20;

class HopStream final : public net::StreamHandler {
 public:
  HopStream(net::ServerStream& stream, InferService& service)
      : stream_(stream), service_(service) {}

  void OnMessage(Slice frame) override;
  void OnHalfClose() override {
    half_closed_ = true;
    FinishIfIdle();
  }
  void OnWritable() override { Throttle(); }
  void OnDone(bool) override { Abandon(); }

 private:
  class Completion;

  void Begin(HopRequestView& view, const Slice& frame);
  void GiveUp(uint64_t call_id);
  void Answered(Completion* completion, InferResponse response);
  void Fail(const Status& status) {
    over_ = true;
    Abandon();
    stream_.Finish(status);
  }
  void Abandon();
  void Throttle() {
    const bool crowded = stream_.unsent_bytes() >= kMaxUnsentBytes;
    if (over_ || crowded == paused_) return;
    paused_ = crowded;
    if (crowded) {
      stream_.PauseReading();
    } else {
      stream_.ResumeReading();
    }
  }
  // When the turn began in which an answer came, as calls count from when theirs did: a reading of the clock
  // for each would cost more than all else that telling a timing takes. Read where both are the same turn's.
  TimeNs AnsweredAt(TimeNs arrived) const {
    const TimeNs turn = stream_.loop().TurnTime();
    return turn != arrived ? turn : SystemClock::Get().Now();
  }
  void FinishIfIdle() {
    if (!half_closed_ || in_flight_ > 0 || over_) return;
    over_ = true;
    stream_.Finish(Status::Ok());
  }

  net::ServerStream& stream_;
  InferService& service_;
  std::vector<Completion*> calls_;  // by the low half of the call id; null: none
  size_t in_flight_ = 0;
  bool half_closed_ = false;
  bool paused_ = false;
  bool over_ = false;
};

// One call of the stream; forgets the stream when that ends first.
class HopStream::Completion final : public InferCompletion {
 public:
  Completion(HopStream& stream, uint64_t call_id, TimeNs arrived, TimeNs deadline,
             const telemetry::OpenSpan& span, std::shared_ptr<CallScope> scope)
      : stream_(&stream), call_id_(call_id), arrived_(arrived), deadline_(deadline), span_(span),
        scope_(std::move(scope)) {}
  uint64_t call_id() const { return call_id_; }
  TimeNs arrived() const { return arrived_; }
  void Done(InferResponse response) override {
    if (span_.Wanted(response.status.kind())) RecordServe(span_, response, deadline_);
    if (stream_ != nullptr) stream_->Answered(this, std::move(response));
  }
  // Nobody waits any more. Done may run in here, and destroy this.
  void Abandon() {
    stream_ = nullptr;
    const std::shared_ptr<CallScope> scope = scope_;
    scope->Cancel();
  }

 private:
  HopStream* stream_;
  const uint64_t call_id_;
  const TimeNs arrived_, deadline_;
  const telemetry::OpenSpan span_;
  const std::shared_ptr<CallScope> scope_;
};

void HopStream::OnMessage(Slice frame) {
  if (over_) return;
  HopRequestView view;
  const Status status = ParseHopRequest(frame.view(), &view);
  if (!status.ok()) return Fail(status);
  if (view.cancel) return GiveUp(view.call_id);
  Begin(view, frame);
}

void HopStream::Begin(HopRequestView& view, const Slice& frame) {
  const auto slot = static_cast<uint32_t>(view.call_id);
  if (slot >= calls_.size()) calls_.resize(slot + 1);
  if (calls_[slot] != nullptr) return Fail(Internal("a call id was used twice at a time"));
  Result<std::unique_ptr<InferRequest>> read = ReadForwarded(
      frame.Sub(view.request), {view.application, view.model, view.version, view.prediction});
  if (!read.ok()) {
    service_.OnUnreadable(read.status().kind());
    stream_.Send(EncodeHopResponse(view.call_id, InferResponse::Error(read.status())));
    return Throttle();
  }
  const TimeNs arrived = stream_.loop().TurnTime();
  const TimeNs deadline = view.timeout == kNever ? kNever : arrived + view.timeout;
  const telemetry::OpenSpan span = BeginServe(&view.trace, arrived);
  auto scope = std::make_shared<CallScope>(stream_.loop());
  auto completion = std::make_unique<Completion>(*this, view.call_id, arrived, deadline, span, scope);
  calls_[slot] = completion.get();
  ++in_flight_;
  InferCall call(std::move(read.value()), deadline, std::move(scope), std::move(completion));
  call.trace = std::move(view.trace);
  service_.Infer(std::move(call));
}

void HopStream::GiveUp(uint64_t call_id) {
  const auto slot = static_cast<uint32_t>(call_id);
  if (slot >= calls_.size() || calls_[slot] == nullptr || calls_[slot]->call_id() != call_id) {
    return;  // its answer is on the way
  }
  --in_flight_;
  std::exchange(calls_[slot], nullptr)->Abandon();
  FinishIfIdle();
}

void HopStream::Answered(Completion* completion, InferResponse response) {
  calls_[static_cast<uint32_t>(completion->call_id())] = nullptr;
  --in_flight_;
  const TimeNs arrived = completion->arrived();
  response.timing.served_us = std::max<uint32_t>(Timing::Us(AnsweredAt(arrived) - arrived), 1);
  stream_.Send(EncodeHopResponse(completion->call_id(), std::move(response)));
  Throttle();
  FinishIfIdle();
}

void HopStream::Abandon() {
  over_ = true;
  std::vector<Completion*> left;
  left.swap(calls_);
  in_flight_ = 0;
  for (Completion* completion : left) {
    if (completion != nullptr) completion->Abandon();
  }
}

}  // namespace

std::unique_ptr<net::StreamHandler> MakeHopStream(net::ServerStream& stream,
                                                  InferService& service) {
  if (!stream.info().inner) return nullptr;
  return std::make_unique<HopStream>(stream, service);
}

}  // namespace skysail::services
