#include "oip/message.h"

#include <cstring>
#include <string>

#include "oip/text.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

using wire::Field;
using wire::Reader;
using wire::Type;

constexpr uint32_t kModelName = 1, kModelVersion = 2, kId = 3, kParameters = 4, kTensors = 5;

// How the two messages differ.
struct Layout {
  ErrorKind kind;
  const char* message;
  const char* tensors;
  const char* raw;
  uint32_t raw_field;
};
constexpr Layout kRequest{ErrorKind::kInvalidArgument, "request", "inputs", "raw_input_contents",
                          7};
constexpr Layout kResponse{ErrorKind::kInternal, "response", "outputs", "raw_output_contents", 6};
constexpr uint32_t kRequestedOutputs = 6;

// Where in a message the parser is; turned into text only for an error.
struct Place {
  const char* list = nullptr;  // "inputs"; null at the top level
  size_t index = 0;
  std::string_view name;  // the tensor's, once known
  std::string ToString() const {
    if (list == nullptr) return "";
    std::string text = list + ("[" + std::to_string(index) + "]");
    if (!name.empty()) text += " " + Quote(name);
    return text;
  }
};

// One pass over one message. Methods return false after setting status().
class Parser {
 public:
  explicit Parser(const Layout& layout) : layout_(layout) {}
  Status TakeStatus() { return std::move(status_); }

  template <typename View>
  bool Message(std::string_view message, bool head, View* view) {
    view->Clear();
    view->message = message;
    const Place top;
    Reader reader(message);
    Field field;
    while (reader.Next(&field)) {
      bool visible = false;
      switch (field.number) {
        case kModelName:
          if (!Text(top, "model_name", field, &view->model_name)) return false;
          break;
        case kModelVersion:
          if (!Text(top, "model_version", field, &view->model_version)) return false;
          break;
        case kId:
          if (!Text(top, "id", field, &view->id)) return false;
          break;
        case kParameters:
          if (!HasRoom("parameters", view->parameters.size()) ||
              !Parameter(top, field, &view->parameters.emplace_back())) {
            return false;
          }
          visible = !IsReserved(view->parameters.back().name);
          break;
        default:
          if (!Body(field, head, view, &visible)) return false;
      }
      if (visible) AddVisible(field.whole, &view->visible);
    }
    if (!reader.ok()) return Malformed(top, reader);
    return head || MatchRaw(view->raw_contents, Tensors(view));
  }

 private:
  static std::vector<TensorView>* Tensors(RequestView* view) { return &view->inputs; }
  static std::vector<TensorView>* Tensors(ResponseView* view) { return &view->outputs; }

  // Fields from 5 on.
  template <typename View>
  bool Body(const Field& field, bool head, View* view, bool* visible) {
    if (field.number == kTensors) {
      *visible = true;
      const Place place{layout_.tensors, Tensors(view)->size(), {}};
      if (!Expect(place, nullptr, field, Type::kLength)) return false;
      if (!HasRoom(layout_.tensors, place.index)) return false;
      return head || Tensor(place, field.bytes, &Tensors(view)->emplace_back());
    }
    if (field.number == layout_.raw_field) {
      *visible = true;
      if (!Expect(Place{}, layout_.raw, field, Type::kLength)) return false;
      if (!HasRoom(layout_.raw, view->raw_contents.size())) return false;
      if (!head) view->raw_contents.push_back(field.bytes);
      return true;
    }
    if constexpr (std::is_same_v<View, RequestView>) {
      if (field.number == kRequestedOutputs) {
        *visible = true;
        const Place place{"outputs", view->outputs.size(), {}};
        if (!Expect(place, nullptr, field, Type::kLength)) return false;
        if (!HasRoom("outputs", place.index)) return false;
        return head || RequestedOutput(place, field.bytes, &view->outputs.emplace_back());
      }
    }
    return true;  // a field of a later protocol: not for us to judge
  }

  bool Tensor(Place place, std::string_view bytes, TensorView* tensor) {
    Reader reader(bytes);
    Field field;
    while (reader.Next(&field)) {
      switch (field.number) {
        case 1:
          if (!Text(place, "name", field, &tensor->name)) return false;
          place.name = tensor->name;
          break;
        case 2:
          if (!Text(place, "datatype", field, &tensor->datatype_name)) return false;
          break;
        case 3:
          if (!Dimensions(place, field, &tensor->shape)) return false;
          break;
        case 4:
          if (!TensorParameter(place, field, &tensor->parameters)) return false;
          break;
        case 5:
          if (!Expect(place, "contents", field, Type::kLength)) return false;
          if (tensor->has_typed) return Fail(place, "contents", "is given twice");
          tensor->has_typed = true;
          tensor->typed = field.bytes;
          break;
        default:
          break;
      }
    }
    if (!reader.ok()) return Malformed(place, reader);
    tensor->datatype = ParseDataType(tensor->datatype_name);
    return true;
  }

  bool RequestedOutput(Place place, std::string_view bytes, RequestedOutputView* output) {
    Reader reader(bytes);
    Field field;
    while (reader.Next(&field)) {
      if (field.number == 1) {
        if (!Text(place, "name", field, &output->name)) return false;
        place.name = output->name;
      } else if (field.number == 2) {
        if (!TensorParameter(place, field, &output->parameters)) return false;
      }
    }
    return reader.ok() || Malformed(place, reader);
  }

  // Dimensions come packed or one by one.
  bool Dimensions(const Place& place, const Field& field, Shape* shape) {
    if (field.type == Type::kVarint) return Dimension(place, field.value, shape);
    if (!Expect(place, "shape", field, Type::kLength)) return false;
    const char* at = field.bytes.data();
    const char* const end = at + field.bytes.size();
    while (at != end) {
      uint64_t dim;
      if (!wire::ReadVarint(&at, end, &dim)) return Fail(place, "shape", "is truncated");
      if (!Dimension(place, dim, shape)) return false;
    }
    return true;
  }

  bool Dimension(const Place& place, uint64_t dim, Shape* shape) {
    if (shape->Push(static_cast<int64_t>(dim))) return true;
    return Fail(place, "shape", "has more than " + std::to_string(kMaxRank) + " dimensions");
  }

  // Checks the entry and joins it to those before it.
  bool TensorParameter(const Place& place, const Field& field, std::string_view* entries) {
    ParameterView parameter;
    if (!Parameter(place, field, &parameter)) return false;
    if (entries->empty()) {
      *entries = field.whole;
    } else if (entries->data() + entries->size() == field.whole.data()) {
      *entries = {entries->data(), entries->size() + field.whole.size()};
    } else {
      return Fail(place, "parameters", "are not adjacent");
    }
    return true;
  }

  bool Parameter(const Place& place, const Field& entry, ParameterView* parameter) {
    if (!Expect(place, "parameters", entry, Type::kLength)) return false;
    parameter->entry = entry.whole;
    Reader reader(entry.bytes);
    Field field;
    while (reader.Next(&field)) {
      if (field.number == 1) {
        if (!Text(place, "parameters", field, &parameter->name)) return false;
      } else if (field.number == 2) {
        if (!Expect(place, "parameters", field, Type::kLength)) return false;
        if (!ParameterValue(place, field.bytes, parameter)) return false;
      }
    }
    return reader.ok() || Malformed(place, reader);
  }

  bool ParameterValue(const Place& place, std::string_view bytes, ParameterView* parameter) {
    using Kind = ParameterView::Kind;
    Reader reader(bytes);
    Field field;
    while (reader.Next(&field)) {
      switch (field.number) {
        case 1:
        case 2:
        case 5:
          if (!Expect(place, "parameters", field, Type::kVarint)) return false;
          parameter->kind = field.number == 1   ? Kind::kBool
                            : field.number == 2 ? Kind::kInt64
                                                : Kind::kUint64;
          parameter->number = field.number == 1 ? field.value != 0
                                                : static_cast<int64_t>(field.value);
          break;
        case 3:
          if (!Text(place, "parameters", field, &parameter->text)) return false;
          parameter->kind = Kind::kString;
          break;
        case 4:
          if (!Expect(place, "parameters", field, Type::kFixed64)) return false;
          std::memcpy(&parameter->real, &field.value, sizeof(parameter->real));
          parameter->kind = Kind::kDouble;
          break;
        default:
          break;
      }
    }
    return reader.ok() || Malformed(place, reader);
  }

  bool Text(const Place& place, const char* what, const Field& field, std::string_view* text) {
    if (!Expect(place, what, field, Type::kLength)) return false;
    if (!IsUtf8(field.bytes)) return Fail(place, what, "is not valid UTF-8");
    *text = field.bytes;
    return true;
  }

  bool MatchRaw(const std::vector<std::string_view>& raw, std::vector<TensorView>* tensors) {
    if (raw.empty()) return true;
    if (raw.size() != tensors->size()) {
      return Fail({}, layout_.raw,
                  "expected one entry for each of " + std::to_string(tensors->size()) + " " +
                      layout_.tensors + ", got " + std::to_string(raw.size()));
    }
    for (size_t i = 0; i < raw.size(); ++i) {
      TensorView& tensor = (*tensors)[i];
      if (tensor.has_typed) {
        return Fail({layout_.tensors, i, tensor.name}, nullptr,
                    "has typed and raw contents, expected one of them");
      }
      tensor.raw = raw[i];
      tensor.has_raw = true;
    }
    return true;
  }

  static void AddVisible(std::string_view span, std::vector<std::string_view>* visible) {
    if (!visible->empty() && visible->back().data() + visible->back().size() == span.data()) {
      visible->back() = {visible->back().data(), visible->back().size() + span.size()};
    } else {
      visible->push_back(span);
    }
  }

  bool HasRoom(const char* what, size_t entries) {
    if (entries < kMaxEntries) return true;
    return Fail({}, what, "expected at most " + std::to_string(kMaxEntries) + ", got more");
  }

  bool Expect(const Place& place, const char* what, const Field& field, Type type) {
    if (field.type == type) return true;
    return Fail(place, what,
                "wire type of field " + std::to_string(field.number) + ": expected " +
                    std::to_string(static_cast<int>(type)) + ", got " +
                    std::to_string(static_cast<int>(field.type)));
  }

  bool Malformed(const Place& place, const Reader& reader) {
    return Fail(place, nullptr,
                "truncated or malformed field at byte " + std::to_string(reader.offset()));
  }

  // "request: inputs[0] 'x': shape: is truncated"
  bool Fail(const Place& place, const char* what, const std::string& problem) {
    std::string text = std::string("malformed ") + layout_.message + ": ";
    if (const std::string where = place.ToString(); !where.empty()) text += where + ": ";
    if (what != nullptr) text += std::string(what) + ": ";
    status_ = Status(layout_.kind, text + problem);
    return false;
  }

  const Layout& layout_;
  Status status_;
};

template <typename View>
Status Parse(const Layout& layout, std::string_view message, bool head, View* view) {
  Parser parser(layout);
  if (parser.Message(message, head, view)) return Status::Ok();
  return parser.TakeStatus();
}

}  // namespace

const ParameterView* FindParameter(const std::vector<ParameterView>& parameters,
                                   std::string_view name) {
  for (auto it = parameters.rbegin(); it != parameters.rend(); ++it) {
    if (it->name == name) return &*it;
  }
  return nullptr;
}

void RequestView::Clear() {
  message = model_name = model_version = id = {};
  parameters.clear();
  inputs.clear();
  outputs.clear();
  visible.clear();
  raw_contents.clear();
}

void ResponseView::Clear() {
  message = model_name = model_version = id = {};
  parameters.clear();
  outputs.clear();
  visible.clear();
  raw_contents.clear();
}

Status ParseRequest(std::string_view message, RequestView* view) {
  return Parse(kRequest, message, /*head=*/false, view);
}
Status ParseRequestHead(std::string_view message, RequestView* view) {
  return Parse(kRequest, message, /*head=*/true, view);
}
Status ParseResponse(std::string_view message, ResponseView* view) {
  return Parse(kResponse, message, /*head=*/false, view);
}
Status ParseResponseHead(std::string_view message, ResponseView* view) {
  return Parse(kResponse, message, /*head=*/true, view);
}

}  // namespace skysail::oip
