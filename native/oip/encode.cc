#include "oip/encode.h"

#include "oip/wire.h"

namespace skysail::oip {
namespace {

constexpr int kTensor = 5, kName = 1, kDatatype = 2, kShape = 3;

}  // namespace

void AppendTensor(std::string* out, const TensorView& tensor, int64_t rows) {
  size_t dims = wire::VarintSize(static_cast<uint64_t>(rows));
  for (int i = 1; i < tensor.shape.rank(); ++i) {
    dims += wire::VarintSize(static_cast<uint64_t>(tensor.shape[i]));
  }
  wire::AppendPrefix(out, kTensor,
                     wire::BytesFieldSize(kName, tensor.name.size()) +
                         wire::BytesFieldSize(kDatatype, tensor.datatype_name.size()) +
                         wire::BytesFieldSize(kShape, dims) + tensor.parameters.size());
  wire::AppendBytes(out, kName, tensor.name);
  wire::AppendBytes(out, kDatatype, tensor.datatype_name);
  wire::AppendPrefix(out, kShape, dims);
  wire::AppendVarint(out, static_cast<uint64_t>(rows));
  for (int i = 1; i < tensor.shape.rank(); ++i) {
    wire::AppendVarint(out, static_cast<uint64_t>(tensor.shape[i]));
  }
  out->append(tensor.parameters);
}

void AppendVisibleParameters(std::string* out, const std::vector<ParameterView>& parameters) {
  for (const ParameterView& parameter : parameters) {
    if (!IsReserved(parameter.name)) out->append(parameter.entry);
  }
}

}  // namespace skysail::oip
