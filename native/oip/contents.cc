#include "oip/contents.h"

#include <cstring>

namespace skysail::oip {
namespace {

// BYTES: each element is a 4-byte little-endian length and that many bytes. Empty: all is well.
std::string CheckElements(std::string_view raw, const Shape& shape) {
  const int64_t elements = shape.Elements();
  int64_t met = 0;
  for (; !raw.empty(); ++met) {
    if (met == elements) {
      return "shape " + shape.ToString() + " takes " + std::to_string(elements) +
             " BYTES elements, got " + std::to_string(raw.size()) + " bytes more";
    }
    uint32_t length = 0;
    if (raw.size() >= sizeof(length)) std::memcpy(&length, raw.data(), sizeof(length));
    if (raw.size() < sizeof(length) + length) {
      return "element " + std::to_string(met) + " of BYTES takes " +
             std::to_string(sizeof(length) + length) + " bytes, got " + std::to_string(raw.size());
    }
    raw.remove_prefix(sizeof(length) + length);
  }
  if (met == elements) return "";
  return "shape " + shape.ToString() + " takes " + std::to_string(elements) +
         " BYTES elements, got " + std::to_string(met);
}

}  // namespace

std::string CheckContents(const TensorView& tensor) {
  const int64_t elements = tensor.shape.Elements();
  if (elements < 0) return "shape " + tensor.shape.ToString() + " has too many elements";
  if (!tensor.has_raw && elements > 0) {
    return "shape " + tensor.shape.ToString() + " has elements, got no contents";
  }
  if (tensor.datatype == DataType::kBytes) return CheckElements(tensor.raw, tensor.shape);
  uint64_t bytes;
  if (__builtin_mul_overflow(static_cast<uint64_t>(elements), ElementSize(tensor.datatype),
                             &bytes)) {
    return "shape " + tensor.shape.ToString() + " has too many elements";
  }
  if (bytes == tensor.raw.size()) return "";
  return "shape " + tensor.shape.ToString() + " of " + std::string(DataTypeName(tensor.datatype)) +
         " takes " + std::to_string(bytes) + " bytes, got " + std::to_string(tensor.raw.size());
}

}  // namespace skysail::oip
