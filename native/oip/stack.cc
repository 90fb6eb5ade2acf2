#include <algorithm>

#include "oip/encode.h"
#include "oip/gather.h"
#include "oip/transform.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kRequestedOutput = 6, kRawInput = 7;

// Everything of the stacked request but the tensors' bytes.
std::string Head(const RequestView& first, std::string_view model_name,
                 std::string_view model_version, int64_t rows) {
  std::string head;
  head.reserve(first.message.size() < Gather::kReferFrom ? first.message.size() + 64 : 512);
  FieldWriter writer(&head);
  writer.String(1, model_name);
  writer.String(2, model_version);
  AppendVisibleParameters(&head, first.parameters);
  for (const TensorView& input : first.inputs) AppendTensor(&head, input, rows);
  for (const RequestedOutputView& output : first.outputs) {
    wire::AppendPrefix(&head, kRequestedOutput,
                       wire::BytesFieldSize(1, output.name.size()) + output.parameters.size());
    writer.String(1, output.name);
    head.append(output.parameters);
  }
  return head;
}

void AppendFramed(std::string* key, std::string_view bytes) {
  wire::AppendVarint(key, bytes.size());
  key->append(bytes);
}

void AppendParameters(std::string* key, const std::vector<ParameterView>& parameters) {
  std::vector<const ParameterView*> visible;
  for (const ParameterView& parameter : parameters) {
    if (!IsReserved(parameter.name)) visible.push_back(&parameter);
  }
  // A map has no order, and some clients write theirs in a random one. Stable: of a repeated name
  // the last counts.
  std::stable_sort(visible.begin(), visible.end(),
                   [](const auto* a, const auto* b) { return a->name < b->name; });
  wire::AppendVarint(key, visible.size());
  for (const ParameterView* parameter : visible) AppendFramed(key, parameter->entry);
}

}  // namespace

std::string BatchGroup(const RequestView& request) {
  std::string key;
  AppendParameters(&key, request.parameters);
  wire::AppendVarint(&key, request.outputs.size());
  for (const RequestedOutputView& output : request.outputs) {
    AppendFramed(&key, output.name);
    AppendFramed(&key, output.parameters);
  }
  for (const TensorView& input : request.inputs) {
    AppendFramed(&key, input.name);
    AppendFramed(&key, input.datatype_name);
    AppendFramed(&key, input.parameters);
    wire::AppendVarint(&key, static_cast<uint64_t>(input.shape.rank()));
    for (int i = 1; i < input.shape.rank(); ++i) {
      wire::AppendVarint(&key, static_cast<uint64_t>(input.shape[i]));
    }
  }
  return key;
}

Bytes StackRequests(const std::vector<BatchMember>& members, std::string_view model_name,
                    std::string_view model_version) {
  const RequestView& first = *members[0].view;
  if (members.size() == 1) {
    return ModelRequest(*members[0].message, first, model_name, model_version);
  }
  int64_t rows = 0;
  size_t copied = 0;
  for (const BatchMember& member : members) {
    rows += member.rows;
    for (const TensorView& input : member.view->inputs) copied += Gather::Copied(input.raw.size());
  }
  const std::string head = Head(first, model_name, model_version, rows);
  Gather gather(head.size() + copied + first.inputs.size() * 2 * wire::kMaxVarint);
  gather.Copy(head);
  for (size_t i = 0; i < first.inputs.size(); ++i) {
    size_t size = 0;
    for (const BatchMember& member : members) size += member.view->inputs[i].raw.size();
    gather.Prefix(kRawInput, size);
    for (const BatchMember& member : members) {
      gather.Piece(*member.message, member.view->inputs[i].raw);
    }
  }
  return gather.Take();
}

}  // namespace skysail::oip
