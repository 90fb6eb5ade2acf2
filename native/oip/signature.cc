#include "oip/signature.h"

#include <algorithm>

#include "oip/contents.h"
#include "oip/text.h"

namespace skysail::oip {
namespace {

// Which of a signature's tensors have been met. No allocation up to 64 of them.
class Seen {
 public:
  explicit Seen(size_t count) : more_(count > 64 ? count - 64 : 0) {}
  // False when `i` was there already.
  bool Add(size_t i) {
    if (Has(i)) return false;
    if (i < 64) {
      few_ |= uint64_t{1} << i;
    } else {
      more_[i - 64] = true;
    }
    return true;
  }
  bool Has(size_t i) const { return i < 64 ? (few_ >> i & 1) != 0 : more_[i - 64]; }

 private:
  uint64_t few_ = 0;
  std::vector<bool> more_;
};

// The index of `name`, expected near `hint` because callers keep the signature's order;
// specs.size(): there is none.
size_t Find(const std::vector<TensorSpec>& specs, std::string_view name, size_t hint) {
  if (hint < specs.size() && specs[hint].name == name) return hint;
  return std::find_if(specs.begin(), specs.end(),
                      [&](const TensorSpec& spec) { return spec.name == name; }) -
         specs.begin();
}

std::string Names(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "" : ", ") + Quote(spec.name);
  return text.empty() ? "none" : text;
}

bool Fits(const Shape& expected, const Shape& got) {
  if (expected.rank() != got.rank()) return false;
  for (int i = 0; i < got.rank(); ++i) {
    if (got[i] < 0 || (expected[i] != -1 && expected[i] != got[i])) return false;
  }
  return true;
}

// What is wrong with the tensor, or nothing.
std::string CheckTensor(const TensorSpec& spec, const Shape& expected, const TensorView& tensor) {
  if (tensor.datatype != spec.datatype) {
    return "expected datatype " + std::string(DataTypeName(spec.datatype)) + ", got " +
           (tensor.datatype == DataType::kInvalid ? Quote(tensor.datatype_name)
                                                  : std::string(tensor.datatype_name));
  }
  if (!Fits(expected, tensor.shape)) {
    return "expected shape " + expected.ToString() + ", got " + tensor.shape.ToString();
  }
  return CheckContents(tensor);
}

// Inputs against their specs: each met exactly once and as it should be.
Status CheckInputs(const Signature& signature, const RequestView& request) {
  const auto& specs = signature.inputs;
  Seen seen(specs.size());
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    const TensorView& tensor = request.inputs[i];
    const size_t index = Find(specs, tensor.name, i);
    if (index == specs.size()) {
      return InvalidArgument("tensor " + Quote(tensor.name) + ": no such input, expected " +
                             Names(specs));
    }
    if (!seen.Add(index)) {
      return InvalidArgument("tensor " + Quote(tensor.name) + ": expected once, got it twice");
    }
    const std::string problem = CheckTensor(specs[index], specs[index].shape, tensor);
    if (!problem.empty()) return InvalidArgument("tensor " + Quote(tensor.name) + ": " + problem);
  }
  if (request.inputs.size() == specs.size()) return Status::Ok();
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!seen.Has(i)) {
      return InvalidArgument("tensor " + Quote(specs[i].name) + ": input is missing");
    }
  }
  return Status::Ok();
}

Status CheckRequestedOutputs(const Signature& signature, const RequestView& request) {
  if (request.outputs.empty()) return Status::Ok();
  const auto& specs = signature.outputs;
  Seen seen(specs.size());
  for (size_t i = 0; i < request.outputs.size(); ++i) {
    const std::string_view name = request.outputs[i].name;
    const size_t index = Find(specs, name, i);
    if (index == specs.size()) {
      return InvalidArgument("requested output " + Quote(name) + ": no such output, expected " +
                             Names(specs));
    }
    if (!seen.Add(index)) {
      return InvalidArgument("requested output " + Quote(name) + ": expected once, got it twice");
    }
  }
  return Status::Ok();
}

Status CountRows(const Signature& signature, const RequestView& request, int64_t* rows) {
  const TensorView& first = request.inputs[0];
  *rows = first.shape[0];
  bool empty = true;
  for (const TensorView& tensor : request.inputs) {
    if (tensor.shape[0] != *rows) {
      return InvalidArgument("tensor " + Quote(tensor.name) + ": expected " +
                             std::to_string(*rows) + " rows as in " + Quote(first.name) +
                             ", got " + std::to_string(tensor.shape[0]));
    }
    empty = empty && tensor.raw.empty();
  }
  // Rows without a single byte would let a few bytes ask for a batch of any size.
  if (empty) {
    return InvalidArgument("tensor " + Quote(first.name) + ": empty batch, shape " +
                           first.shape.ToString() + " has no elements");
  }
  if (signature.max_rows > 0 && *rows > signature.max_rows) {
    return InvalidArgument("expected at most " + std::to_string(signature.max_rows) +
                           " rows, got " + std::to_string(*rows));
  }
  return Status::Ok();
}

Status BrokenContract(std::string_view output, const std::string& problem) {
  return Internal("the model broke its contract: output " + Quote(output) + ": " + problem);
}

bool LeadingAny(const TensorSpec& spec) { return spec.shape.rank() > 0 && spec.shape[0] == -1; }

}  // namespace

bool Signature::Stackable() const {
  return !inputs.empty() && std::all_of(inputs.begin(), inputs.end(), LeadingAny) &&
         std::all_of(outputs.begin(), outputs.end(), LeadingAny);
}

Status CheckRequest(const Signature& signature, const RequestView& request, int64_t* rows) {
  *rows = 1;
  if (Status status = CheckInputs(signature, request); !status.ok()) return status;
  if (Status status = CheckRequestedOutputs(signature, request); !status.ok()) return status;
  return signature.Stackable() ? CountRows(signature, request, rows) : Status::Ok();
}

Status CheckResponse(const Signature& signature, const ResponseView& response,
                     const std::vector<RequestedOutputView>& requested, int64_t rows) {
  const auto& specs = signature.outputs;
  const bool stackable = signature.Stackable();
  Seen seen(specs.size());
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const TensorView& tensor = response.outputs[i];
    const size_t index = Find(specs, tensor.name, i);
    if (index == specs.size()) {
      return BrokenContract(tensor.name, "no such output, expected " + Names(specs));
    }
    if (!seen.Add(index)) return BrokenContract(tensor.name, "expected once, got it twice");
    Shape expected = specs[index].shape;
    if (stackable) expected[0] = rows;
    const std::string problem = CheckTensor(specs[index], expected, tensor);
    if (!problem.empty()) return BrokenContract(tensor.name, problem);
  }
  for (size_t i = 0; requested.empty() && i < specs.size(); ++i) {
    if (!seen.Has(i)) return BrokenContract(specs[i].name, "is missing");
  }
  for (size_t i = 0; i < requested.size(); ++i) {
    const size_t index = Find(specs, requested[i].name, i);
    if (index == specs.size() || !seen.Has(index)) {
      return BrokenContract(requested[i].name, "is missing");
    }
  }
  return Status::Ok();
}

}  // namespace skysail::oip
