#include "services/infer_stream.h"

#include <string>
#include <unordered_set>
#include <utility>

#include "oip/transform.h"
#include "services/answer.h"
#include "services/intake.h"
#include "services/trace_metadata.h"

namespace skysail::services {
namespace {

constexpr size_t kMaxInFlight = 256;
constexpr size_t kMaxUnsentBytes = size_t{1} << 20;

// ModelStreamInferResponse { string error_message = 1; ModelInferResponse infer_response = 2; }
Bytes WrapAnswer(Bytes answer) {
  std::string head;
  head.push_back(2 << 3 | 2);
  size_t length = answer.size();
  for (; length >= 0x80; length >>= 7) head.push_back(static_cast<char>(length | 0x80));
  head.push_back(static_cast<char>(length));
  Bytes message{Slice::Copy(head)};
  message.Append(std::move(answer));
  return message;
}

Bytes WrapError(const Status& status, std::string_view id) {
  std::string text, inner;
  oip::FieldWriter(&inner).String(3, id);
  oip::FieldWriter writer(&text);
  writer.String(1, status.message().empty() ? ErrorKindName(status.kind()) : status.message());
  if (!id.empty()) writer.String(2, inner);
  return Bytes(Slice::Copy(text));
}

class InferStream final : public net::StreamHandler {
 public:
  InferStream(net::ServerStream& stream, InferService& service)
      : stream_(stream), service_(service) {}

  void OnMessage(Slice message) override;
  void OnHalfClose() override {
    half_closed_ = true;
    FinishIfIdle();
  }
  void OnWritable() override { Throttle(); }
  void OnDone(bool cancelled) override;

 private:
  class Completion;

  void Answered(Completion* completion, Bytes message) {
    in_flight_.erase(completion);
    stream_.Send(std::move(message));
    Throttle();
    FinishIfIdle();
  }
  void Throttle() {
    const bool crowded =
        in_flight_.size() >= kMaxInFlight || stream_.unsent_bytes() >= kMaxUnsentBytes;
    if (crowded == paused_) return;
    paused_ = crowded;
    if (crowded) {
      stream_.PauseReading();
    } else {
      stream_.ResumeReading();
    }
  }
  void FinishIfIdle() {
    if (half_closed_ && in_flight_.empty()) stream_.Finish(Status::Ok());
  }

  net::ServerStream& stream_;
  InferService& service_;
  std::unordered_set<Completion*> in_flight_;
  bool half_closed_ = false;
  bool paused_ = false;
};

// One request of the stream; forgets the stream when that ends first.
class InferStream::Completion final : public InferCompletion {
 public:
  Completion(InferStream& stream, const InferRequest& request, std::shared_ptr<CallScope> scope)
      : stream_(&stream), scope_(std::move(scope)), message_(request.message),
        to_{request.view.model_name, request.view.id, request.prediction} {
    stream.in_flight_.insert(this);
  }
  void Done(InferResponse response) override {
    if (stream_ == nullptr) return;
    const Status status = response.status;
    stream_->Answered(this, status.ok() ? WrapAnswer(EncodeAnswer(to_, std::move(response)))
                                        : WrapError(status, to_.id));
  }
  // The caller has left: nobody is told, and the call is given up. Done may run in here.
  void Abandon() {
    stream_ = nullptr;
    const std::shared_ptr<CallScope> scope = scope_;
    scope->Cancel();
  }

 private:
  InferStream* stream_;
  const std::shared_ptr<CallScope> scope_;
  const Slice message_;  // what `to_` points into
  const Addressee to_;
};

void InferStream::OnMessage(Slice message) {
  const net::CallInfo& info = stream_.info();
  Result<std::unique_ptr<InferRequest>> read = ReadRequest(std::move(message), info.inner);
  if (!read.ok()) {
    service_.OnUnreadable(read.status().kind());
    stream_.Send(WrapError(read.status(), {}));
    Throttle();
    return;
  }
  std::unique_ptr<InferRequest> request = std::move(read.value());
  auto scope = std::make_shared<CallScope>(stream_.loop());
  auto completion = std::make_unique<Completion>(*this, *request, scope);
  InferCall call(std::move(request), info.deadline, std::move(scope), std::move(completion));
  call.trace = ReadTrace(*info.metadata);
  Throttle();
  service_.Infer(std::move(call));
}

void InferStream::OnDone(bool) {
  std::unordered_set<Completion*> left;
  left.swap(in_flight_);
  for (Completion* completion : left) completion->Abandon();
}

}  // namespace

std::unique_ptr<net::StreamHandler> MakeInferStream(net::ServerStream& stream,
                                                    InferService& service) {
  return std::make_unique<InferStream>(stream, service);
}

}  // namespace skysail::services
