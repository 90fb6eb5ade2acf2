// The one seam of the data plane: an InferService takes an InferCall and answers it, once.
//
// Frontend, Selector, Batcher, ModelServer and RemoteService (a channel to another process) all
// implement it, and each holds the next one; so the same code runs as a mesh of processes and fused
// in one. Everything here happens on one loop thread, the call's; a service that answers from another
// thread posts to that loop.
#ifndef SKYSAIL_SERVICES_INFER_CALL_H_
#define SKYSAIL_SERVICES_INFER_CALL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "batching/fair_order.h"
#include "net/event_loop.h"
#include "oip/message.h"
#include "services/report.h"
#include "services/timing.h"
#include "telemetry/trace_context.h"

namespace skysail::services {

using telemetry::TraceContext;

// 128 bits: milliseconds since the epoch (48), hash of the application (24), hash of the context
// (24), random (32); zero when not minted yet. See prediction_id.h.
using PredictionId = std::array<uint8_t, 16>;

// What a caller asked, and what the services have decided about it so far.
struct InferRequest {
  Slice message;            // one encoded ModelInferRequest, contiguous, tensors in raw form
  oip::RequestView view;    // of `message`; ParseRequest'ed by the first service of this process
  // Decisions; they stand over what the message says. Views must outlive the call: they point into
  // `message` or into the configuration snapshot that `keep_alive` holds.
  std::string_view application;    // as the caller spelled it
  std::string_view model;          // chosen by the selector
  std::string_view version;        // chosen by the selector; or pinned by an inner caller
  std::string_view context;        // for whom; may be empty
  PredictionId prediction{};
  batching::Priority priority_wish = batching::Priority::kHigh;  // the caller's; its application's caps it
  int64_t rows = 1;              // leading dimension, once checked against a signature
  std::shared_ptr<const void> keep_alive;
};

enum class CacheOutcome : uint8_t { kNone, kHit, kMiss, kCoalesced };

// The one answer. On success `payload` holds the encoded response fields 4-6 as the model gave them,
// without reserved parameters: model name, version, id and Skysail's own parameters are added where the
// response leaves the process, so a cached payload is shared by every hit.
struct InferResponse {
  Status status;
  Bytes payload;
  std::string model;            // which answered
  std::string version;
  CacheOutcome cache = CacheOutcome::kNone;
  bool is_default = false;      // the application's default output, not a model's
  std::string reason;           // why the default; empty otherwise
  bool unprocessed = false;     // failed, and certainly no model saw it: safe to send elsewhere
  TimeNs retry_after = 0;       // with an error: when trying again may help; 0: unknown
  Timing timing;                // of the stages behind; `served_us` is set where the response leaves a process

  static InferResponse Error(Status status) {
    InferResponse response;
    response.status = std::move(status);
    return response;
  }
  // Nothing of that name is known: because there is none, or because no configuration has come yet, which
  // changes in a moment.
  static InferResponse Unknown(std::string message, int64_t revision) {
    const bool configured = revision > 0;
    InferResponse response =
        Error(configured ? NotFound(std::move(message))
                         : Unavailable("this service has just started and has no configuration yet"));
    response.unprocessed = true;
    return response;
  }
};

// Receives the answer. Done is called exactly once for every call, on the call's loop thread, and
// the object is destroyed right after.
class InferCompletion {
 public:
  virtual ~InferCompletion() = default;
  virtual void Done(InferResponse response) = 0;
};

// Told when the call is no longer wanted. Set by whoever holds the call now (a queue, a stream to a
// peer), who then frees what it holds and completes the call with Cancelled.
class CancelHandler {
 public:
  virtual void OnCancel() = 0;

 protected:
  ~CancelHandler() = default;
};

// The thread through a call's layers in one process: who to tell when it is cancelled. Owned by the
// one who began the call (the wire endpoint, or a layer that may answer early, such as the frontend with
// a default output); outlives the call's completion. Loop thread only.
class CallScope {
 public:
  explicit CallScope(net::EventLoop& loop) : loop_(&loop) {}
  net::EventLoop& loop() const { return *loop_; }
  void SetHandler(CancelHandler* handler) { handler_ = handler; }
  bool cancelled() const { return cancelled_; }
  // Tells the holder, at most once. The completion may run before this returns.
  void Cancel() {
    if (cancelled_) return;
    cancelled_ = true;
    if (handler_ != nullptr) std::exchange(handler_, nullptr)->OnCancel();
  }

 private:
  net::EventLoop* loop_;
  CancelHandler* handler_ = nullptr;
  bool cancelled_ = false;
};

// Move-only. Dropping a call that was not answered answers it with Internal.
class InferCall {
 public:
  InferCall(std::unique_ptr<InferRequest> request, TimeNs deadline,
            std::shared_ptr<CallScope> scope, std::unique_ptr<InferCompletion> completion)
      : request_(std::move(request)), deadline_(deadline), scope_(std::move(scope)),
        completion_(std::move(completion)) {
    loop().CountCalls(+1);
  }
  InferCall(InferCall&&) = default;
  InferCall& operator=(InferCall&&) = delete;
  ~InferCall() {
    if (completion_ != nullptr) {
      Finish(InferResponse::Error(Internal("the call was dropped without an answer")));
    }
  }

  InferRequest& request() { return *request_; }
  const InferRequest& request() const { return *request_; }
  TimeNs deadline() const { return deadline_; }
  void set_deadline(TimeNs deadline) { deadline_ = deadline; }
  const std::shared_ptr<CallScope>& scope() const { return scope_; }
  net::EventLoop& loop() const { return scope_->loop(); }
  TraceContext trace;  // invalid when the caller sent none

  void Finish(InferResponse response) {
    scope_->SetHandler(nullptr);
    loop().CountCalls(-1);
    auto completion = std::move(completion_);
    completion->Done(std::move(response));
  }
  // The request, for a holder that works on after the caller has left. The call may only be finished
  // afterwards.
  std::unique_ptr<InferRequest> TakeRequest() { return std::move(request_); }
  // A layer that wants to see the answer puts itself in between: takes the completion out and sets
  // its own, which calls the old one.
  std::unique_ptr<InferCompletion> ReplaceCompletion(std::unique_ptr<InferCompletion> completion) {
    completion_.swap(completion);
    return completion;
  }

 private:
  std::unique_ptr<InferRequest> request_;
  TimeNs deadline_;
  std::shared_ptr<CallScope> scope_;
  std::unique_ptr<InferCompletion> completion_;
};

// Thread-safe: may be called on any loop thread; answers on the call's.
class InferService {
 public:
  virtual ~InferService() = default;
  virtual void Infer(InferCall call) = 0;
  // A message came that could not be read, and was answered with an error of that kind: it never became a
  // call, but counts. Any thread.
  virtual void OnUnreadable(ErrorKind kind) { (void)kind; }
  // Whether calls should be sent to it. Any thread.
  virtual bool Healthy() const { return true; }
  // What it has counted so far, units in the names. Any thread.
  virtual Report Stats() const { return {}; }
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_INFER_CALL_H_
