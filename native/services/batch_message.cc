#include "services/batch_message.h"

#include <utility>

#include "oip/response.h"
#include "oip/transform.h"

namespace skysail::services {
Bytes BatchRequest(const std::vector<std::unique_ptr<Work>>& members, std::string_view model,
                   std::string_view version) {
  if (members.size() == 1) {
    const InferRequest& only = *members[0]->request;
    return oip::ModelRequest(only.message, only.view, model, version);
  }
  std::vector<oip::BatchMember> rows;
  rows.reserve(members.size());
  for (const auto& work : members) {
    rows.push_back({&work->request->message, &work->request->view, work->rows});
  }
  return oip::StackRequests(rows, model, version);
}

Result<std::vector<Bytes>> CutAnswer(const Slice& answer,
                                     const std::vector<std::unique_ptr<Work>>& members,
                                     const std::optional<oip::Signature>& signature) {
  Slice message = answer;
  oip::ResponseView view;
  Status status = oip::ParseResponse(message.view(), &view);
  if (status.ok() && !oip::IsRaw(view)) {
    Result<Slice> raw = oip::NormalizeResponse(view);
    if (!raw.ok()) return raw.status();
    message = std::move(raw.value());
    view.Clear();
    status = oip::ParseResponse(message.view(), &view);
  }
  if (!status.ok()) return status;

  std::vector<int64_t> rows;
  rows.reserve(members.size());
  int64_t total = 0;
  for (const auto& work : members) {
    rows.push_back(work->rows);
    total += work->rows;
  }
  if (signature.has_value()) {
    status = oip::CheckResponse(*signature, view, members[0]->request->view.outputs, total);
    if (!status.ok()) return status;
  }
  if (members.size() > 1) return oip::SplitResponse(message, view, rows);
  std::vector<Bytes> payloads;
  payloads.push_back(oip::PayloadOf(message, view));
  return payloads;
}

}  // namespace skysail::services
