// Tensors of the Open Inference Protocol (KServe "V2"): datatypes, shapes, and views of tensors
// inside an encoded message.
#ifndef SKYSAIL_OIP_TENSOR_H_
#define SKYSAIL_OIP_TENSOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skysail::oip {

enum class DataType : uint8_t {
  kInvalid, kBool, kUint8, kUint16, kUint32, kUint64, kInt8, kInt16, kInt32, kInt64,
  kFp16, kFp32, kFp64, kBf16, kBytes,
};
// "FP32" and so on; kInvalid for anything else (names are upper case, as the protocol spells them).
DataType ParseDataType(std::string_view name);
std::string_view DataTypeName(DataType type);
// Bytes per element in raw form; 0 for kBytes (4-byte little-endian length before each element).
size_t ElementSize(DataType type);

inline constexpr int kMaxRank = 16;

// Dimensions, inline. In a signature -1 stands for "any"; in a message every dimension is >= 0.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) {
    for (int64_t dim : dims) Push(dim);
  }
  // False (and no change) beyond kMaxRank.
  bool Push(int64_t dim) {
    if (rank_ == kMaxRank) return false;
    dims_[rank_++] = dim;
    return true;
  }
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return dims_[i]; }
  int64_t& operator[](int i) { return dims_[i]; }
  // Product of the dimensions; -1 when one is negative or the product overflows int64.
  int64_t Elements() const;
  // "[8,16]"
  std::string ToString() const;
  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a.dims_[i] != b.dims_[i]) return false;
    }
    return true;
  }

 private:
  std::array<int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

// One tensor inside a message; every view points into that message.
struct TensorView {
  std::string_view name;
  std::string_view datatype_name;  // as sent
  DataType datatype = DataType::kInvalid;
  Shape shape;
  std::string_view parameters;     // the encoded map entries, each with tag and length; often empty
  std::string_view typed;          // encoded InferTensorContents; empty when absent
  bool has_typed = false;
  std::string_view raw;            // raw little-endian bytes; meaningful when has_raw
  bool has_raw = false;
};

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_TENSOR_H_
