#include "oip/tensor.h"

#include <algorithm>

namespace skysail::oip {
namespace {

struct TypeInfo {
  std::string_view name;
  size_t size;
};
// In the order of the enumeration.
constexpr TypeInfo kTypes[] = {
    {"INVALID", 0}, {"BOOL", 1},  {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4},
    {"UINT64", 8},  {"INT8", 1},  {"INT16", 2}, {"INT32", 4},  {"INT64", 8},
    {"FP16", 2},    {"FP32", 4},  {"FP64", 8},  {"BF16", 2},   {"BYTES", 0},
};
constexpr int kTypeCount = sizeof(kTypes) / sizeof(kTypes[0]);
static_assert(kTypeCount == static_cast<int>(DataType::kBytes) + 1);

}  // namespace

DataType ParseDataType(std::string_view name) {
  for (int i = 1; i < kTypeCount; ++i) {
    if (kTypes[i].name == name) return static_cast<DataType>(i);
  }
  return DataType::kInvalid;
}

std::string_view DataTypeName(DataType type) { return kTypes[static_cast<int>(type)].name; }

size_t ElementSize(DataType type) { return kTypes[static_cast<int>(type)].size; }

int64_t Shape::Elements() const {
  const int64_t* const dims = dims_.data();
  if (std::any_of(dims, dims + rank_, [](int64_t dim) { return dim < 0; })) return -1;
  if (std::find(dims, dims + rank_, 0) != dims + rank_) return 0;
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) {
    if (__builtin_mul_overflow(product, dims_[i], &product)) return -1;
  }
  return product;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) text += ',';
    text += std::to_string(dims_[i]);
  }
  return text + "]";
}

}  // namespace skysail::oip
