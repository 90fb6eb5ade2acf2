#include "services/frontend.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "oip/signature.h"
#include "services/default_output.h"
#include "services/stage_stats.h"
#include "telemetry/open_span.h"

namespace skysail::services {
namespace {

// What is kept back of the deadline to send the default output in: enough for a busy loop's turn,
// and never more than a tenth of what there is.
constexpr TimeNs kSendAllowance = 2 * kMillisecond;

using telemetry::OpenSpan;
using telemetry::SpanRecord;

uint64_t ReadBigEndian(const uint8_t* from) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | from[i];
  return value;
}

// Below or at which that part of all numbers lies.
uint64_t UpTo(double part) {
  return part >= 1 ? UINT64_MAX : static_cast<uint64_t>(part * static_cast<double>(UINT64_MAX));
}

struct Served {
  Application application;
  telemetry::NameId name = 0;
  uint64_t sample_up_to = 0;  // of all numbers of 64 bits
  std::optional<DefaultOutput> default_output;
  std::shared_ptr<CallStats> stats;  // carried over from set to set
  std::shared_ptr<StageStats> stages;  // likewise, until it is full: then it begins anew
};

std::string Seconds(TimeNs ns) {
  std::string text = std::to_string(static_cast<double>(ns) * 1e-6);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " ms";
}

// Takes up the caller's trace, or begins one, which has the prediction's id.
OpenSpan BeginSpan(const Served& served, InferCall* call, TimeNs now) {
  if (telemetry::SpanRing::OfThisThread() == nullptr) return {};
  TraceContext& trace = call->trace;
  if (!trace.valid()) {
    const PredictionId& id = call->request().prediction;
    trace.trace = {ReadBigEndian(id.data()), ReadBigEndian(id.data() + 8)};
    if (telemetry::NewId() <= served.sample_up_to) trace.flags = TraceContext::kSampled;
  }
  return OpenSpan::Begin(&trace, now);
}

// Failures of what stands behind the application, as opposed to of the request or of the caller.
bool IsOurs(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kOk:
    case ErrorKind::kCancelled:
    case ErrorKind::kInvalidArgument:
    case ErrorKind::kOutOfRange:
    case ErrorKind::kAlreadyExists:
    case ErrorKind::kPermissionDenied:
    case ErrorKind::kUnauthenticated:
      return false;
    case ErrorKind::kUnknown:
    case ErrorKind::kDeadlineExceeded:
    case ErrorKind::kNotFound:
    case ErrorKind::kResourceExhausted:
    case ErrorKind::kFailedPrecondition:
    case ErrorKind::kAborted:
    case ErrorKind::kUnimplemented:
    case ErrorKind::kInternal:
    case ErrorKind::kUnavailable:
    case ErrorKind::kDataLoss:
      return true;
  }
  return true;
}

}  // namespace

struct Frontend::Snapshot {
  int64_t revision = 0;
  std::vector<std::unique_ptr<Served>> served;
  std::unordered_map<std::string_view, Served*> by_name;  // keys view the applications' names
};

// Stands between the caller and the services behind until the caller has an answer. Owned by the call
// that went on; after an early answer it waits only to be told that the call has ended.
class Frontend::Pending final : public InferCompletion {
 public:
  Pending(const Clock& clock, TimeNs began, std::shared_ptr<const Snapshot> snapshot,
          const Served& served, const InferRequest& request, const OpenSpan& span,
          std::shared_ptr<CallScope> scope)
      : clock_(clock), began_(began), snapshot_(std::move(snapshot)), served_(served),
        rows_(request.rows), span_(span), version_named_(!request.version.empty()), scope_(std::move(scope)),
        timer_([this] { OnTime(); }) {}

  // Takes the caller's completion and answers it by `deadline`.
  void Begin(std::unique_ptr<InferCompletion> caller, TimeNs deadline) {
    caller_ = std::move(caller);
    deadline_ = deadline;
    TimeNs at = deadline;
    if (served_.default_output.has_value()) {
      at -= std::min(kSendAllowance, (deadline - began_) / 10);
    }
    timer_.Set(scope_->loop(), at);
  }

  void Done(InferResponse response) override {
    if (caller_ == nullptr) return;  // answered early
    timer_.Cancel();
    Answer(std::move(response));
  }

 private:
  void OnTime() {
    // Ending the call destroys this object, so what is needed afterwards is held here.
    const std::shared_ptr<CallScope> scope = scope_;
    Answer(InferResponse::Error(DeadlineExceeded(
        "no answer from the models of application '" + served_.application.name + "' within " +
        Seconds(clock_.Now() - began_))));
    scope->Cancel();
  }

  void Answer(InferResponse response) {
    const ErrorKind kind = response.status.kind();
    // A version that the caller asked for and that is not there is the caller's mistake.
    const bool ours = IsOurs(kind) && !(version_named_ && kind == ErrorKind::kNotFound);
    if (ours && served_.default_output.has_value()) {
      Result<Bytes> payload = served_.default_output->PayloadFor(rows_);
      if (payload.ok()) {
        InferResponse output;
        output.payload = std::move(payload.value());
        output.is_default = true;
        output.reason = response.status.ToString();
        output.timing = std::move(response.timing);
        response = std::move(output);
      }
    }
    if (response.is_default) {  // which a frontend behind this one may have made: for what, it knows
      served_.stats->defaults.Add(kind == ErrorKind::kOk ? ErrorKind::kUnknown : kind);
    }
    const TimeNs now = clock_.Now();
    const TimeNs took = now - began_;
    served_.stats->Ended(response.status.kind(), took);
    if (response.status.ok() && !response.is_default) served_.stages->Record(response, took);
    if (span_.span != 0) RecordSpan(response, kind, now);
    const std::unique_ptr<InferCompletion> caller = std::move(caller_);
    caller->Done(std::move(response));
  }

  // What errs, is answered by default or late is kept whether or not its trace is sampled. `kind`: of the
  // answer, or of what the default stands in for.
  void RecordSpan(const InferResponse& response, ErrorKind kind, TimeNs now) {
    const bool late = now - began_ > served_.application.objective;
    const bool keep = kind != ErrorKind::kOk || response.is_default || late;
    if (!keep && !span_.sampled) return;
    SpanRecord record = span_.Ended(telemetry::Stage::kRequest, kind, now);
    if (keep) record.flags |= SpanRecord::kKept;
    if (response.is_default) record.flags |= SpanRecord::kDefault;
    record.application = served_.name;
    record.cache = static_cast<uint8_t>(response.cache);
    record.rows = static_cast<uint32_t>(rows_);
    record.limit = response.timing.limit_rows;
    record.deadline_left_us = telemetry::DeadlineLeftUs(deadline_, began_);
    record.batch = response.timing.batch;
    record.queue_us = response.timing.queue_us;
    record.fill_us = response.timing.fill_us;
    record.staged_us = response.timing.staged_us;
    record.model_us = response.timing.model_us;
    record.hop_us = response.timing.hop_us;
    telemetry::SpanRing::OfThisThread()->Record(record);
  }

  const Clock& clock_;
  const TimeNs began_;
  const std::shared_ptr<const Snapshot> snapshot_;
  const Served& served_;
  const int64_t rows_;
  const OpenSpan span_;
  TimeNs deadline_ = kNever;
  const bool version_named_;
  const std::shared_ptr<CallScope> scope_;
  net::Timer timer_;
  std::unique_ptr<InferCompletion> caller_;
};

Frontend::Frontend(net::LoopThreads& loops, std::shared_ptr<InferService> next, const Clock& clock)
    : next_(std::move(next)), clock_(clock), snapshot_(loops, std::make_shared<Snapshot>()) {}

Frontend::~Frontend() = default;

Status Frontend::Publish(std::vector<Application> applications, int64_t revision) {
  const std::shared_ptr<const Snapshot> old = snapshot_.Latest();
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = revision;
  for (Application& application : applications) {
    if (application.objective <= 0) {
      return InvalidArgument("application '" + application.name +
                             "': objective must be positive, got " +
                             std::to_string(application.objective) + " ns");
    }
    auto served = std::make_unique<Served>();
    if (application.default_output.has_value()) {
      Result<DefaultOutput> output = DefaultOutput::Make(*application.default_output);
      if (!output.ok()) {
        return InvalidArgument("application '" + application.name +
                               "': default output: " + output.status().message());
      }
      served->default_output = std::move(output.value());
    }
    served->application = std::move(application);
    served->name = telemetry::Names::Get().Intern(served->application.name);
    served->sample_up_to = UpTo(served->application.trace_sampling);
    const std::string& name = served->application.name;
    const auto known = old->by_name.find(name);
    served->stats =
        known != old->by_name.end() ? known->second->stats : std::make_shared<CallStats>();
    served->stages = known != old->by_name.end() && !known->second->stages->full()
                         ? known->second->stages
                         : std::make_shared<StageStats>();
    if (!snapshot->by_name.emplace(name, served.get()).second) {
      return InvalidArgument("application '" + name + "' is given twice");
    }
    snapshot->served.push_back(std::move(served));
  }
  snapshot_.Publish(std::move(snapshot));
  return Status::Ok();
}

void Frontend::Infer(InferCall call) {
  const TimeNs now = clock_.Now();
  const std::shared_ptr<const Snapshot>& snapshot = snapshot_.Get(call.loop());
  InferRequest& request = call.request();
  const auto found = snapshot->by_name.find(request.application);
  if (found == snapshot->by_name.end()) {
    InferResponse unknown = InferResponse::Unknown(
        "unknown model or application '" + std::string(request.application) + "' (" +
            std::to_string(snapshot->by_name.size()) + " known)",
        snapshot->revision);
    nameless_.Add(unknown.status.kind());
    call.Finish(std::move(unknown));
    return;
  }
  const Served& served = *found->second;
  served.stats->requests.Add();
  const OpenSpan span = BeginSpan(served, &call, now);
  if (served.application.signature.has_value()) {
    Status status = oip::CheckRequest(*served.application.signature, request.view, &request.rows);
    if (!status.ok()) {
      const TimeNs ended = clock_.Now();
      served.stats->Ended(status.kind(), ended - now);
      if (span.span != 0) {
        SpanRecord record = span.Ended(telemetry::Stage::kRequest, status.kind(), ended);
        record.flags |= SpanRecord::kKept;
        record.application = served.name;
        telemetry::SpanRing::OfThisThread()->Record(record);
      }
      call.Finish(InferResponse::Error(std::move(status)));
      return;
    }
  }
  call.set_deadline(std::min(call.deadline(), After(now, served.application.objective)));
  auto pending =
      std::make_unique<Pending>(clock_, now, snapshot, served, request, span, call.scope());
  Pending& waiting = *pending;
  waiting.Begin(call.ReplaceCompletion(std::move(pending)), call.deadline());
  next_->Infer(std::move(call));
}

Report Frontend::Stats() const {
  const std::shared_ptr<const Snapshot> snapshot = snapshot_.Latest();
  Report applications;
  for (const auto& served : snapshot->served) {
    Report one = served->stats->ToReport();
    one.Add("stages", served->stages->ToReport());
    one.Add("objective_s", static_cast<double>(served->application.objective) * 1e-9);
    applications.Add(served->application.name, std::move(one));
  }
  Report report;
  report.Add("revision", static_cast<uint64_t>(snapshot->revision))
      .Add("applications", std::move(applications))
      .Add("nameless", nameless_.ToReport());
  return report;
}

}  // namespace skysail::services
