#include "oip/typed.h"

#include <cstring>
#include <limits>

#include "oip/text.h"
#include "oip/wire.h"

namespace skysail::oip {
namespace {

using wire::Field;
using wire::Type;

// The lists of InferTensorContents, by field number.
constexpr const char* kLists[] = {"",
                                  "bool_contents",
                                  "int_contents",
                                  "int64_contents",
                                  "uint_contents",
                                  "uint64_contents",
                                  "fp32_contents",
                                  "fp64_contents",
                                  "bytes_contents"};
constexpr uint32_t kLast = 8;

// The list that a datatype uses; 0: it has none.
uint32_t ListOf(DataType type) {
  switch (type) {
    case DataType::kBool: return 1;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32: return 2;
    case DataType::kInt64: return 3;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32: return 4;
    case DataType::kUint64: return 5;
    case DataType::kFp32: return 6;
    case DataType::kFp64: return 7;
    case DataType::kBytes: return 8;
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid: return 0;
  }
  return 0;
}

Type ElementType(uint32_t list) {
  return list == 6 ? Type::kFixed32 : list == 7 ? Type::kFixed64 : Type::kVarint;
}

template <typename T>
void AppendValue(T value, std::string* raw) {
  raw->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// `Wire` is the list's own type: protobuf cuts a varint to it.
template <typename Wire, typename T>
bool AppendIfFits(uint64_t value, std::string* raw) {
  const auto wide = static_cast<Wire>(value);
  if (wide < std::numeric_limits<T>::min() || wide > std::numeric_limits<T>::max()) return false;
  AppendValue(static_cast<T>(wide), raw);
  return true;
}

// False when the datatype cannot hold the value.
bool AppendVarintElement(DataType type, uint64_t value, std::string* raw) {
  switch (type) {
    case DataType::kBool: AppendValue<uint8_t>(value != 0, raw); return true;
    case DataType::kInt8: return AppendIfFits<int32_t, int8_t>(value, raw);
    case DataType::kInt16: return AppendIfFits<int32_t, int16_t>(value, raw);
    case DataType::kInt32: return AppendIfFits<int32_t, int32_t>(value, raw);
    case DataType::kUint8: return AppendIfFits<uint32_t, uint8_t>(value, raw);
    case DataType::kUint16: return AppendIfFits<uint32_t, uint16_t>(value, raw);
    case DataType::kUint32: return AppendIfFits<uint32_t, uint32_t>(value, raw);
    default: AppendValue(value, raw); return true;  // the 64-bit ones
  }
}

// Converts the fields of one list, element by element.
class Converter {
 public:
  Converter(const TensorView& tensor, std::string* raw)
      : type_(tensor.datatype), list_(ListOf(tensor.datatype)), raw_(raw) {}

  int64_t elements() const { return elements_; }

  // What is wrong, or nothing.
  std::string Take(const Field& field) {
    if (field.number > kLast) return "";
    if (field.type == Type::kLength && field.number != kLast && field.bytes.empty()) return "";
    if (field.number != list_) {
      return "datatype " + std::string(DataTypeName(type_)) + ": expected " +
             (list_ == 0 ? "raw contents" : kLists[list_]) + ", got " + kLists[field.number];
    }
    if (list_ == kLast) return field.type == Type::kLength ? Text(field.bytes) : Malformed();
    if (field.type == ElementType(list_)) return Element(field.value);
    return field.type == Type::kLength ? Packed(field.bytes) : Malformed();
  }

 private:
  std::string Malformed() const { return std::string(kLists[list_]) + " is malformed"; }

  std::string Text(std::string_view bytes) {
    if (bytes.size() > std::numeric_limits<uint32_t>::max()) return "an element is too long";
    AppendValue(static_cast<uint32_t>(bytes.size()), raw_);
    raw_->append(bytes);
    ++elements_;
    return "";
  }

  std::string Element(uint64_t value) {
    const int64_t index = elements_++;
    if (type_ == DataType::kFp32) {
      AppendValue(static_cast<uint32_t>(value), raw_);
    } else if (!AppendVarintElement(type_, value, raw_)) {
      const auto number = static_cast<int32_t>(value);
      return "element " + std::to_string(index) + ": expected a value of " +
             std::string(DataTypeName(type_)) + ", got " +
             (list_ == 4 ? std::to_string(static_cast<uint32_t>(value)) : std::to_string(number));
    }
    return "";
  }

  std::string Packed(std::string_view bytes) {
    if (ElementType(list_) != Type::kVarint) {
      const size_t size = ElementSize(type_);
      if (bytes.size() % size != 0) return Malformed();
      raw_->append(bytes);
      elements_ += static_cast<int64_t>(bytes.size() / size);
      return "";
    }
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      uint64_t value;
      if (!wire::ReadVarint(&at, end, &value)) return Malformed();
      if (std::string problem = Element(value); !problem.empty()) return problem;
    }
    return "";
  }

  const DataType type_;
  const uint32_t list_;
  std::string* const raw_;
  int64_t elements_ = 0;
};

}  // namespace

std::string AppendTyped(const TensorView& tensor, std::string* raw) {
  if (tensor.datatype == DataType::kInvalid) {
    return "unknown datatype " + Quote(tensor.datatype_name);
  }
  Converter converter(tensor, raw);
  wire::Reader reader(tensor.typed);
  Field field;
  while (reader.Next(&field)) {
    if (std::string problem = converter.Take(field); !problem.empty()) return problem;
  }
  if (!reader.ok()) {
    return "contents: truncated or malformed field at byte " + std::to_string(reader.offset());
  }
  const int64_t expected = tensor.shape.Elements();
  if (converter.elements() == expected) return "";
  return "shape " + tensor.shape.ToString() +
         (expected < 0 ? " has no number of elements" : " takes " + std::to_string(expected) +
                                                            " elements") +
         ", got " + std::to_string(converter.elements());
}

}  // namespace skysail::oip
