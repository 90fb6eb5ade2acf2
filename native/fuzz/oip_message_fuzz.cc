// The reader of Open Inference Protocol messages against protobuf's own: what ours takes protobuf
// takes too, with the same content; what protobuf writes ours takes, but for its stated limits; and
// typed contents become the raw ones that a plain conversion gives.
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "fuzz/script.h"
#include "fuzz/wire_mutator.h"
#include "inference.pb.h"
#include "oip/message.h"
#include "oip/transform.h"

namespace skysail::oip {
namespace {

// What differs between the two messages.
struct Request {
  using View = RequestView;
  using Proto = inference::ModelInferRequest;
  static Status Parse(std::string_view text, View* view) { return ParseRequest(text, view); }
  static Status ParseHead(std::string_view text, View* view) {
    return ParseRequestHead(text, view);
  }
  static Result<Slice> Normalize(const View& view) { return NormalizeRequest(view); }
  static const auto& Tensors(const View& view) { return view.inputs; }
  static const auto& Tensors(const Proto& proto) { return proto.inputs(); }
  static const auto& Raw(const Proto& proto) { return proto.raw_input_contents(); }
};
struct Response {
  using View = ResponseView;
  using Proto = inference::ModelInferResponse;
  static Status Parse(std::string_view text, View* view) { return ParseResponse(text, view); }
  static Status ParseHead(std::string_view text, View* view) {
    return ParseResponseHead(text, view);
  }
  static Result<Slice> Normalize(const View& view) { return NormalizeResponse(view); }
  static const auto& Tensors(const View& view) { return view.outputs; }
  static const auto& Tensors(const Proto& proto) { return proto.outputs(); }
  static const auto& Raw(const Proto& proto) { return proto.raw_output_contents(); }
};

bool SameValue(const ParameterView& ours, const inference::InferParameter& theirs) {
  using Kind = ParameterView::Kind;
  switch (theirs.parameter_choice_case()) {
    case inference::InferParameter::kBoolParam:
      return ours.kind == Kind::kBool && (ours.number != 0) == theirs.bool_param();
    case inference::InferParameter::kInt64Param:
      return ours.kind == Kind::kInt64 && ours.number == theirs.int64_param();
    case inference::InferParameter::kStringParam:
      return ours.kind == Kind::kString && ours.text == theirs.string_param();
    case inference::InferParameter::kDoubleParam: {
      const double real = theirs.double_param();
      return ours.kind == Kind::kDouble && std::memcmp(&ours.real, &real, sizeof(real)) == 0;
    }
    case inference::InferParameter::kUint64Param:
      return ours.kind == Kind::kUint64 &&
             static_cast<uint64_t>(ours.number) == theirs.uint64_param();
    case inference::InferParameter::PARAMETER_CHOICE_NOT_SET:
      return ours.kind == Kind::kNone;
  }
  return false;
}

template <typename Map>
void CheckParameters(const std::vector<ParameterView>& ours, const Map& theirs) {
  for (const ParameterView& parameter : ours) {
    SKYSAIL_HOLDS(theirs.count(std::string(parameter.name)) == 1);
  }
  for (const auto& [name, value] : theirs) {
    const ParameterView* const found = FindParameter(ours, name);
    SKYSAIL_HOLDS(found != nullptr && SameValue(*found, value));
  }
}

// Of a tensor the reader keeps the entries as they came: protobuf reads them as a message's.
template <typename Tensor>
void CheckEntries(std::string_view entries, const Tensor& theirs) {
  Tensor ours;
  SKYSAIL_HOLDS(ours.ParseFromString(std::string(entries)));
  SKYSAIL_HOLDS(ours.parameters().size() == theirs.parameters().size());
  for (const auto& [name, value] : theirs.parameters()) {
    const auto found = ours.parameters().find(name);
    SKYSAIL_HOLDS(found != ours.parameters().end());
    SKYSAIL_HOLDS(found->second.SerializeAsString() == value.SerializeAsString());
  }
}

template <typename Message>
void CheckSame(const typename Message::View& view, const typename Message::Proto& proto) {
  SKYSAIL_HOLDS(view.model_name == proto.model_name());
  SKYSAIL_HOLDS(view.model_version == proto.model_version());
  SKYSAIL_HOLDS(view.id == proto.id());
  CheckParameters(view.parameters, proto.parameters());
  const auto& tensors = Message::Tensors(view);
  SKYSAIL_HOLDS(tensors.size() == static_cast<size_t>(Message::Tensors(proto).size()));
  SKYSAIL_HOLDS(view.raw_contents.size() == static_cast<size_t>(Message::Raw(proto).size()));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorView& ours = tensors[i];
    const auto& theirs = Message::Tensors(proto)[static_cast<int>(i)];
    SKYSAIL_HOLDS(ours.name == theirs.name());
    SKYSAIL_HOLDS(ours.datatype_name == theirs.datatype());
    SKYSAIL_HOLDS(ours.shape.rank() == theirs.shape_size());
    for (int d = 0; d < ours.shape.rank(); ++d) SKYSAIL_HOLDS(ours.shape[d] == theirs.shape(d));
    CheckEntries(ours.parameters, theirs);
    SKYSAIL_HOLDS(ours.has_typed == theirs.has_contents());
    SKYSAIL_HOLDS(ours.has_raw == !Message::Raw(proto).empty());
    if (ours.has_raw) SKYSAIL_HOLDS(ours.raw == Message::Raw(proto)[static_cast<int>(i)]);
  }
  if constexpr (std::is_same_v<Message, Request>) {
    SKYSAIL_HOLDS(view.outputs.size() == static_cast<size_t>(proto.outputs_size()));
    for (size_t i = 0; i < view.outputs.size(); ++i) {
      const auto& theirs = proto.outputs(static_cast<int>(i));
      SKYSAIL_HOLDS(view.outputs[i].name == theirs.name());
      CheckEntries(view.outputs[i].parameters, theirs);
    }
  }
}

// What is visible lies in the message, in order, and a head's reader sees what the whole one does.
template <typename Message>
void CheckHead(std::string_view text, const typename Message::View& view) {
  const char* at = text.data();
  for (std::string_view span : view.visible) {
    SKYSAIL_HOLDS(span.data() >= at && span.data() + span.size() <= text.data() + text.size());
    at = span.data() + span.size();
  }
  typename Message::View head;
  SKYSAIL_HOLDS(Message::ParseHead(text, &head).ok());
  SKYSAIL_HOLDS(head.model_name == view.model_name && head.model_version == view.model_version);
  SKYSAIL_HOLDS(head.id == view.id && head.parameters.size() == view.parameters.size());
  SKYSAIL_HOLDS(head.visible == view.visible);
}

template <typename To, typename List>
bool AppendAll(const List& list, std::string* raw) {
  for (const auto value : list) {
    if (value < std::numeric_limits<To>::lowest() || value > std::numeric_limits<To>::max()) {
      return false;
    }
    const To element = static_cast<To>(value);
    raw->append(reinterpret_cast<const char*>(&element), sizeof(element));
  }
  return true;
}
template <typename To, typename List>
bool AppendReals(const List& list, std::string* raw) {
  for (const To value : list) raw->append(reinterpret_cast<const char*>(&value), sizeof(value));
  return true;
}

// The number of elements; -1: there is none.
template <typename Tensor>
int64_t ElementsOf(const Tensor& tensor) {
  Shape shape;
  for (int64_t dim : tensor.shape()) shape.Push(dim);
  return shape.Elements();
}

// The tensor's elements in raw form, the plain way; nothing where typed contents are to be refused.
template <typename Tensor>
std::optional<std::string> Converted(const Tensor& tensor) {
  const inference::InferTensorContents& contents = tensor.contents();
  const int sizes[] = {contents.bool_contents_size(),  contents.int_contents_size(),
                       contents.int64_contents_size(), contents.uint_contents_size(),
                       contents.uint64_contents_size(), contents.fp32_contents_size(),
                       contents.fp64_contents_size(),  contents.bytes_contents_size()};
  int64_t elements = 0;
  for (int size : sizes) elements += size;
  const DataType type = ParseDataType(tensor.datatype());
  if (type == DataType::kInvalid || elements != ElementsOf(tensor)) return std::nullopt;
  std::string raw;
  int used = -1;
  bool fits = true;
  switch (type) {
    case DataType::kBool: used = 0, AppendAll<uint8_t>(contents.bool_contents(), &raw); break;
    case DataType::kInt8: used = 1, fits = AppendAll<int8_t>(contents.int_contents(), &raw); break;
    case DataType::kInt16:
      used = 1, fits = AppendAll<int16_t>(contents.int_contents(), &raw);
      break;
    case DataType::kInt32: used = 1, AppendAll<int32_t>(contents.int_contents(), &raw); break;
    case DataType::kInt64: used = 2, AppendAll<int64_t>(contents.int64_contents(), &raw); break;
    case DataType::kUint8:
      used = 3, fits = AppendAll<uint8_t>(contents.uint_contents(), &raw);
      break;
    case DataType::kUint16:
      used = 3, fits = AppendAll<uint16_t>(contents.uint_contents(), &raw);
      break;
    case DataType::kUint32: used = 3, AppendAll<uint32_t>(contents.uint_contents(), &raw); break;
    case DataType::kUint64: used = 4, AppendAll<uint64_t>(contents.uint64_contents(), &raw); break;
    case DataType::kFp32: used = 5, AppendReals<float>(contents.fp32_contents(), &raw); break;
    case DataType::kFp64: used = 6, AppendReals<double>(contents.fp64_contents(), &raw); break;
    case DataType::kBytes:
      used = 7;
      for (const std::string& element : contents.bytes_contents()) {
        const auto size = static_cast<uint32_t>(element.size());
        raw.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(element);
      }
      break;
    default: break;  // FP16 and BF16 have no list
  }
  if (!fits || (elements > 0 && (used < 0 || sizes[used] != elements))) return std::nullopt;
  return raw;
}

// Typed contents are read where they are made raw: what was made, against the plain way.
template <typename Message>
void CheckNormalized(Result<Slice> made, const typename Message::Proto& proto) {
  typename Message::View view;
  if (made.ok()) SKYSAIL_HOLDS(Message::Parse(made->view(), &view).ok());
  bool convertible = true;
  for (int i = 0; i < Message::Tensors(proto).size(); ++i) {
    const auto& tensor = Message::Tensors(proto)[i];
    std::optional<std::string> expected;
    if (!Message::Raw(proto).empty()) {
      expected = Message::Raw(proto)[i];
    } else if (tensor.has_contents()) {
      expected = Converted(tensor);
    } else if (ElementsOf(tensor) == 0) {
      expected = "";
    }
    convertible = convertible && expected.has_value();
    if (made.ok()) SKYSAIL_HOLDS(Message::Tensors(view)[static_cast<size_t>(i)].raw == expected);
  }
  SKYSAIL_HOLDS(made.ok() == convertible);
}

// Limits of ours that protobuf does not have.
template <typename Message>
bool BeyondLimits(const typename Message::Proto& proto) {
  const auto& tensors = Message::Tensors(proto);
  const int raw = Message::Raw(proto).size();
  if (raw != 0 && raw != tensors.size()) return true;
  for (const auto& tensor : tensors) {
    if (tensor.shape_size() > kMaxRank || (raw > 0 && tensor.has_contents())) return true;
  }
  const auto crowded = [](auto size) { return static_cast<size_t>(size) > kMaxEntries; };
  if constexpr (std::is_same_v<Message, Request>) {
    if (crowded(proto.outputs_size())) return true;
  }
  return crowded(tensors.size()) || crowded(raw) || crowded(proto.parameters().size());
}

template <typename Message>
void Check(std::string_view text) {
  typename Message::View view;
  typename Message::Proto proto;
  const bool ours = Message::Parse(text, &view).ok();
  const bool theirs = proto.ParseFromArray(text.data(), static_cast<int>(text.size()));
  if (ours) {
    CheckHead<Message>(text, view);
    Result<Slice> normalized = Message::Normalize(view);
    if (theirs) {
      CheckSame<Message>(view, proto);
      CheckNormalized<Message>(std::move(normalized), proto);
    } else {
      SKYSAIL_HOLDS(!normalized.ok());  // protobuf looks into typed contents at once
    }
  }
  if (!theirs) return;
  proto.DiscardUnknownFields();
  const std::string written = proto.SerializeAsString();
  if (!Message::Parse(written, &view).ok()) {
    SKYSAIL_HOLDS(BeyondLimits<Message>(proto));
    return;
  }
  CheckSame<Message>(view, proto);
  CheckNormalized<Message>(Message::Normalize(view), proto);
}

}  // namespace
}  // namespace skysail::oip

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // it reports every invalid text
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  return skysail::fuzz::MutateMessage(data, size, max_size, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = skysail::fuzz::Text(data, size);
  skysail::oip::Check<skysail::oip::Request>(text);
  skysail::oip::Check<skysail::oip::Response>(text);
  return 0;
}
