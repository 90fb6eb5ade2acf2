// Encoded messages for tests, made by hand so that they do not rest on the code that they test.
#ifndef SKYSAIL_OIP_TESTING_H_
#define SKYSAIL_OIP_TESTING_H_

#include <cstring>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "oip/wire.h"

namespace skysail::oip::testing {

inline std::string Varint(int number, uint64_t value) {
  std::string out;
  wire::AppendTag(&out, number, wire::Type::kVarint);
  wire::AppendVarint(&out, value);
  return out;
}
inline std::string Text(int number, std::string_view bytes) {
  std::string out;
  wire::AppendBytes(&out, number, bytes);
  return out;
}
// The elements as they lie in memory.
template <typename T>
std::string Raw(std::initializer_list<T> values) {
  std::string out(values.size() * sizeof(T), '\0');
  if (values.size() > 0) std::memcpy(out.data(), values.begin(), out.size());
  return out;
}
// BYTES elements: a 4-byte length before each.
inline std::string RawBytes(std::initializer_list<std::string_view> values) {
  std::string out;
  for (std::string_view value : values) {
    out += Raw<uint32_t>({static_cast<uint32_t>(value.size())});
    out += value;
  }
  return out;
}

// A map entry of string kind as field `number`.
inline std::string TextParameter(std::string_view name, std::string_view value, int number = 4) {
  return Text(number, Text(1, name) + Text(2, Text(3, value)));
}
inline std::string IntParameter(std::string_view name, int64_t value, int number = 4) {
  return Text(number, Text(1, name) + Text(2, Varint(2, static_cast<uint64_t>(value))));
}

struct Tensor {
  std::string name;
  std::string datatype;
  std::vector<int64_t> shape;
  std::string raw;
};
// Field 5 of either message; `more` is appended to the tensor: parameters, contents.
inline std::string TensorField(const Tensor& tensor, std::string_view more = {}) {
  std::string dims;
  for (int64_t dim : tensor.shape) wire::AppendVarint(&dims, static_cast<uint64_t>(dim));
  std::string out = Text(1, tensor.name) + Text(2, tensor.datatype);
  if (!dims.empty()) out += Text(3, dims);
  return Text(5, out.append(more));
}

// `more` stands between the names and the tensors: id, parameters, requested outputs.
inline std::string Message(int raw_field, std::string_view model, std::string_view version,
                           const std::vector<Tensor>& tensors, std::string_view more) {
  std::string out = Text(1, model) + Text(2, version);
  out.append(more);
  for (const Tensor& tensor : tensors) out += TensorField(tensor);
  for (const Tensor& tensor : tensors) out += Text(raw_field, tensor.raw);
  return out;
}
inline std::string Request(std::string_view model, std::string_view version,
                           const std::vector<Tensor>& inputs, std::string_view more = {}) {
  return Message(7, model, version, inputs, more);
}
inline std::string Response(std::string_view model, std::string_view version,
                            const std::vector<Tensor>& outputs, std::string_view more = {}) {
  return Message(6, model, version, outputs, more);
}

}  // namespace skysail::oip::testing

#endif  // SKYSAIL_OIP_TESTING_H_
