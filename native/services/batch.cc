#include "services/batch.h"

#include <algorithm>

#include "services/trace_metadata.h"

namespace skysail::services {

void Batch::Send(net::ClientChannel& channel, Bytes request) {
  net::CallOptions options;
  options.deadline = 0;
  for (const auto& work : members_) {
    options.deadline = std::max(options.deadline, work->LatestDeadline());
  }
  // Trace contexts differ from member to member: a batch of several has a trace of its own, which is told
  // where it is recorded. One that came alone keeps its own.
  net::Metadata metadata;
  TraceContext trace;
  if (members_.size() == 1) {
    const Ticket& only = *members_[0]->tickets[0];
    trace = only.call().trace;
    if (only.run != 0) trace.span = only.run;
  } else if (times_.sampled) {
    trace.trace = telemetry::TraceOfBatch(times_.id);
    trace.span = times_.id;
    trace.flags = TraceContext::kSampled;
  }
  AddTrace(trace, &metadata);
  options.metadata = &metadata;
  stream_ = channel.StartUnary("/inference.GRPCInferenceService/ModelInfer", options,
                               std::move(request), this);
}

void Batch::MemberLeft() {
  if (++left_ == members_.size() && stream_ != nullptr) stream_->Cancel();
}

void Batch::TakeBack() {
  taken_back_ = true;
  if (stream_ != nullptr) stream_->Cancel();
}

}  // namespace skysail::services
