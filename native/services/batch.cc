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
  // Trace contexts differ from member to member; one that came alone keeps its own.
  net::Metadata metadata;
  if (members_.size() == 1) {
    AddTrace(members_[0]->tickets[0]->call().trace, &metadata);
    options.metadata = &metadata;
  }
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
