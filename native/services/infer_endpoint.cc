#include "services/infer_endpoint.h"

#include <algorithm>
#include <string>
#include <utility>

#include "services/answer.h"
#include "services/hop_endpoint.h"
#include "services/hop_frame.h"
#include "services/infer_stream.h"
#include "services/intake.h"
#include "services/prediction_id.h"
#include "services/reserved.h"
#include "services/retry_info.h"
#include "services/serve_span.h"
#include "services/trace_metadata.h"

namespace skysail::services {
namespace {

// Holds the wire's side of one unary call until the answer is known.
class UnaryAnswer final : public InferCompletion, public net::CancelListener {
 public:
  UnaryAnswer(net::UnaryCall call, const InferRequest& request, const telemetry::OpenSpan& span,
              std::shared_ptr<CallScope> scope)
      : call_(std::move(call)), span_(span), scope_(std::move(scope)), message_(request.message),
        to_{request.view.model_name, request.view.id, request.prediction} {
    call_.SetCancelListener(this);
  }

  void Done(InferResponse response) override {
    call_.SetCancelListener(nullptr);
    if (span_.Wanted(response.status.kind())) {
      RecordServe(span_, response, call_.info().deadline);
    }
    if (response.status.ok()) {
      if (call_.info().inner) AddTiming(&response.timing);
      call_.Respond(EncodeAnswer(to_, std::move(response)));
      return;
    }
    if (response.retry_after > 0) {
      call_.AddTrailer(std::string(kRetryTrailer),
                       std::to_string((response.retry_after + kMillisecond - 1) / kMillisecond));
      if (!call_.info().inner) {  // our own services read the other
        call_.AddTrailer(std::string(kDetailsTrailer),
                         EncodeRetryInfo(response.status, response.retry_after));
      }
    }
    if (response.unprocessed && call_.info().inner) {
      call_.AddTrailer(std::string(kUnprocessedTrailer), "1");
    }
    call_.Fail(response.status);
  }

  void OnCancel() override {
    const std::shared_ptr<CallScope> scope = scope_;  // Done may run, and destroy this
    scope->Cancel();
  }

 private:
  void AddTiming(Timing* timing) {
    const TimeNs served = SystemClock::Get().Now() - call_.info().arrived;
    timing->served_us = std::max<uint32_t>(Timing::Us(served), 1);
    std::string encoded;
    AppendTiming(*timing, &encoded);
    call_.AddTrailer(std::string(kTimingTrailer), std::move(encoded));
  }

  net::UnaryCall call_;
  const telemetry::OpenSpan span_;  // on inner listeners: at the edge the frontend has it
  const std::shared_ptr<CallScope> scope_;
  const Slice message_;  // what `to_` points into
  const Addressee to_;
};

}  // namespace

InferEndpoint::InferEndpoint(std::shared_ptr<InferService> service)
    : service_(std::move(service)) {}

void InferEndpoint::AttachTo(net::GrpcServer& server) {
  server.AddUnary("/inference.GRPCInferenceService/ModelInfer", this);
  server.AddStream("/inference.GRPCInferenceService/ModelStreamInfer",
                   [this](net::ServerStream& stream) {
                     return MakeInferStream(stream, *service_);
                   });
  server.AddStream(std::string(kHopMethod), [this](net::ServerStream& stream) {
    return MakeHopStream(stream, *service_);
  });
}

void InferEndpoint::Handle(net::UnaryCall call) {
  Result<std::unique_ptr<InferRequest>> read = ReadRequest(call.request(), call.info().inner);
  if (!read.ok()) {
    service_->OnUnreadable(read.status().kind());
    call.Fail(read.status());
    return;
  }
  std::unique_ptr<InferRequest> request = std::move(read.value());
  const TimeNs deadline = call.info().deadline;
  TraceContext trace = ReadTrace(*call.info().metadata);

  telemetry::OpenSpan span;
  if (call.info().inner) span = BeginServe(&trace, call.info().arrived);
  auto scope = std::make_shared<CallScope>(call.loop());
  auto completion = std::make_unique<UnaryAnswer>(std::move(call), *request, span, scope);
  InferCall infer(std::move(request), deadline, std::move(scope), std::move(completion));
  infer.trace = std::move(trace);
  service_->Infer(std::move(infer));
}

}  // namespace skysail::services
