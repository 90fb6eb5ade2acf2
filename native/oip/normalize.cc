#include <algorithm>

#include "oip/text.h"
#include "oip/transform.h"
#include "oip/typed.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr uint32_t kTensor = 5, kContents = 5;

// Copies a tensor's fields except its contents.
void AppendWithoutContents(std::string_view tensor, std::string* out) {
  std::string kept;
  wire::Reader reader(tensor);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number != kContents) kept.append(field.whole);
  }
  wire::AppendBytes(out, kTensor, kept);
}

// What is wrong with the tensor, or nothing.
std::string AppendRaw(const TensorView& tensor, int raw_field, std::string* scratch,
                      std::string* out) {
  std::string_view raw = tensor.raw;
  if (tensor.has_typed) {
    scratch->clear();
    if (std::string problem = AppendTyped(tensor, scratch); !problem.empty()) return problem;
    raw = *scratch;
  } else if (!tensor.has_raw && tensor.shape.Elements() != 0) {
    return "shape " + tensor.shape.ToString() + " has elements, got no contents";
  }
  wire::AppendBytes(out, raw_field, raw);
  return "";
}

Result<Slice> Normalize(std::string_view message, const std::vector<TensorView>& tensors,
                        int raw_field, ErrorKind kind) {
  std::string out;
  out.reserve(message.size() * 2);
  wire::Reader reader(message);
  wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == kTensor) {
      AppendWithoutContents(field.bytes, &out);
    } else if (field.number != static_cast<uint32_t>(raw_field)) {
      out.append(field.whole);
    }
  }
  std::string scratch;
  for (const TensorView& tensor : tensors) {
    const std::string problem = AppendRaw(tensor, raw_field, &scratch, &out);
    if (!problem.empty()) return Status(kind, "tensor " + Quote(tensor.name) + ": " + problem);
  }
  return Slice::Copy(out);
}

bool AllRaw(const std::vector<TensorView>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const TensorView& tensor) { return tensor.has_raw; });
}

}  // namespace

bool IsRaw(const RequestView& request) { return AllRaw(request.inputs); }
bool IsRaw(const ResponseView& response) { return AllRaw(response.outputs); }

Result<Slice> NormalizeRequest(const RequestView& request) {
  return Normalize(request.message, request.inputs, 7, ErrorKind::kInvalidArgument);
}
Result<Slice> NormalizeResponse(const ResponseView& response) {
  return Normalize(response.message, response.outputs, 6, ErrorKind::kInternal);
}

}  // namespace skysail::oip
