#include "services/model_server.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "oip/response.h"
#include "oip/transform.h"
#include "telemetry/open_span.h"

namespace skysail::services {

struct ModelTask::Counts {
  telemetry::NameId model = 0, version = 0;
  CallStats calls;
  telemetry::Counter expired;
  telemetry::Histogram rows;
  telemetry::Histogram wait_ns;     // from arrival until the model took it
  telemetry::Histogram predict_ns;  // from then until its answer
};

ModelTask::ModelTask(InferCall call, std::shared_ptr<Counts> counts,
                     std::shared_ptr<const ModelServerOptions> options, const Clock& clock)
    : counts_(std::move(counts)), options_(std::move(options)), clock_(clock),
      arrived_(clock.Now()), request_(call.TakeRequest()), deadline_(call.deadline()),
      call_(std::move(call)) {}

Status ModelTask::Respond(Slice response) {
  oip::ResponseView view;
  Status status = oip::ParseResponse(response.view(), &view);
  if (status.ok() && !oip::IsRaw(view)) {
    Result<Slice> raw = oip::NormalizeResponse(view);
    status = raw.status();
    if (raw.ok()) {
      response = std::move(raw.value());
      view.Clear();
      status = oip::ParseResponse(response.view(), &view);
    }
  }
  if (status.ok()) {
    status = oip::CheckResponse(options_->signature, view, request_->view.outputs, rows());
  }
  if (!status.ok()) return Settle(InferResponse::Error(std::move(status)));
  InferResponse answer;
  answer.payload = oip::PayloadOf(response, view);
  answer.model = options_->model;
  answer.version = options_->version;
  return Settle(std::move(answer));
}

Status ModelTask::Fail(Status status, bool unprocessed) {
  InferResponse response = InferResponse::Error(std::move(status));
  response.unprocessed = unprocessed;
  return Settle(std::move(response));
}

Status ModelTask::Settle(InferResponse response) {
  if (answered_.exchange(true, std::memory_order_acq_rel)) {
    return Status(ErrorKind::kFailedPrecondition, "the task was answered already");
  }
  if (taken_ > 0) {
    settled_ = clock_.Now();
    const TimeNs took = settled_ - taken_;
    counts_->predict_ns.Record(static_cast<uint64_t>(took));
    response.timing.staged_us = Timing::Us(taken_ - arrived_);
    response.timing.model_us = Timing::Us(took);
  }
  call_.loop().Post([self = shared_from_this(),
                     answer = std::make_shared<InferResponse>(std::move(response))] {
    if (std::exchange(self->unfinished_, nullptr) == nullptr) return;
    self->counts_->calls.Ended(answer->status.kind(), self->clock_.Now() - self->arrived_);
    self->RecordSpans(answer->status.kind());
    self->call_.Finish(std::move(*answer));
  });
  return Status::Ok();
}

void ModelTask::RecordSpans(ErrorKind status) const {
  telemetry::SpanRing* const ring = telemetry::SpanRing::OfThisThread();
  const TraceContext& trace = call_.trace;
  if (ring == nullptr || !trace.trace || (!trace.sampled() && status == ErrorKind::kOk)) return;
  const bool ran = settled_ > 0;
  ring->Record(telemetry::PartOf(trace, telemetry::Stage::kStaged, ran ? ErrorKind::kOk : status, arrived_,
                                 ran ? taken_ : clock_.Now()));
  if (!ran) return;
  telemetry::SpanRecord record =
      telemetry::PartOf(trace, telemetry::Stage::kModel, status, taken_, settled_);
  record.model = counts_->model;
  record.version = counts_->version;
  record.rows = static_cast<uint32_t>(rows());
  ring->Record(record);
}

void ModelTask::OnCancel() {
  cancelled_at_.store(std::max<TimeNs>(clock_.Now(), 1), std::memory_order_release);
  const std::shared_ptr<ModelTask> self = std::exchange(unfinished_, nullptr);
  if (self == nullptr) return;
  counts_->calls.Ended(ErrorKind::kCancelled);
  call_.Finish(InferResponse::Error(Cancelled("the caller left")));
}

TimeNs ModelTask::UnwantedSince() const {
  const TimeNs cancelled = cancelled_at_.load(std::memory_order_acquire);
  return cancelled == 0 ? deadline_ : std::min(cancelled, deadline_);
}

ModelServer::ModelServer(ModelServerOptions options, const Clock& clock)
    : options_(std::make_shared<const ModelServerOptions>(std::move(options))), clock_(clock),
      counts_(std::make_shared<ModelTask::Counts>()) {
  counts_->model = telemetry::Names::Get().Intern(options_->model);
  counts_->version = telemetry::Names::Get().Intern(options_->version);
}

ModelServer::~ModelServer() { Close(); }

void ModelServer::Infer(InferCall call) {
  counts_->calls.requests.Add();
  InferRequest& request = call.request();
  Status status;
  if (request.view.model_name != options_->model) {
    status = NotFound("this server runs model '" + options_->model + "', not '" +
                      std::string(request.view.model_name) + "'");
  } else if (!request.version.empty() && request.version != options_->version) {
    status = NotFound("this server runs version '" + options_->version + "' of model '" +
                      options_->model + "', not '" + std::string(request.version) + "'");
  } else {
    status = oip::CheckRequest(options_->signature, request.view, &request.rows);
  }
  if (!status.ok()) {
    counts_->calls.Ended(status.kind());
    call.Finish(InferResponse::Error(std::move(status)));
    return;
  }
  const std::shared_ptr<CallScope> scope = call.scope();
  auto task = std::make_shared<ModelTask>(std::move(call), counts_, options_, clock_);
  scope->SetHandler(task.get());
  task->unfinished_ = task;
  bool wake = false;
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (closed_) {
      status = Unavailable("the model server is going away");
    } else if (pending_.size() >= options_->max_pending) {
      status = ResourceExhausted(std::to_string(pending_.size()) +
                                 " calls wait for the model already: try again later");
    } else {
      pending_.push_back(task);
      wake = waiters_ > 0;
    }
  }
  if (!status.ok()) {
    task->Fail(std::move(status), true);
  } else if (wake) {
    arrived_.notify_one();
  }
}

void ModelServer::OnUnreadable(ErrorKind kind) {
  counts_->calls.requests.Add();
  counts_->calls.Ended(kind);
}

bool ModelServer::Healthy() const {
  std::lock_guard<std::mutex> lock(mu_);
  if (closed_ || resigned_) return false;
  if (running_ == nullptr || running_->answered()) return true;
  const TimeNs since = running_->UnwantedSince();
  return since == kNever || clock_.Now() < since + kStuckAfter;
}

void ModelServer::Resign() {
  std::lock_guard<std::mutex> lock(mu_);
  resigned_ = true;
}

// The next task that is wanted; null when none waits. Requires mu_.
std::shared_ptr<ModelTask> ModelServer::Pop() {
  while (!pending_.empty()) {
    std::shared_ptr<ModelTask> task = std::move(pending_.front());
    pending_.pop_front();
    if (task->cancelled()) continue;
    if (task->deadline() > clock_.Now()) return task;
    counts_->expired.Add();
    task->Fail(DeadlineExceeded("the deadline passed while the call waited for the model"), true);
  }
  return nullptr;
}

std::shared_ptr<ModelTask> ModelServer::Next(TimeNs timeout) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(timeout);
  std::shared_ptr<const ModelTask> before;  // let go of without the lock
  std::unique_lock<std::mutex> lock(mu_);
  before.swap(running_);
  if (before != nullptr) {
    lock.unlock();
    before = nullptr;
    lock.lock();
  }
  for (;;) {
    std::shared_ptr<ModelTask> task = Pop();
    if (task != nullptr) {
      running_ = task;
      counts_->rows.Record(static_cast<uint64_t>(task->rows()));
      task->taken_ = clock_.Now();
      counts_->wait_ns.Record(static_cast<uint64_t>(task->taken_ - task->arrived_));
      return task;
    }
    if (closed_) return nullptr;
    ++waiters_;
    const std::cv_status woken = arrived_.wait_until(lock, until);
    --waiters_;
    if (woken == std::cv_status::timeout && pending_.empty()) return nullptr;
  }
}

void ModelServer::Close() {
  std::deque<std::shared_ptr<ModelTask>> left;
  {
    std::lock_guard<std::mutex> lock(mu_);
    closed_ = true;
    left.swap(pending_);
  }
  arrived_.notify_all();
  for (const auto& task : left) {
    if (!task->cancelled()) task->Fail(Unavailable("the model server is going away"), true);
  }
}

bool ModelServer::closed() const {
  std::lock_guard<std::mutex> lock(mu_);
  return closed_;
}

Report ModelServer::Stats() const {
  size_t pending;
  {
    std::lock_guard<std::mutex> lock(mu_);
    pending = pending_.size();
  }
  Report report = counts_->calls.ToReport();
  report.Add("model", options_->model)
      .Add("version", options_->version)
      .Add("pending", static_cast<uint64_t>(pending))
      .Add("expired", counts_->expired.value())
      .AddDistribution("rows", counts_->rows.snapshot())
      .AddSeconds("wait_s", counts_->wait_ns.snapshot())
      .AddSeconds("predict_s", counts_->predict_ns.snapshot());
  return report;
}

}  // namespace skysail::services
