// Encoding of what transformations share: tensors with another number of rows, parameters.
#ifndef SKYSAIL_OIP_ENCODE_H_
#define SKYSAIL_OIP_ENCODE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "oip/message.h"

namespace skysail::oip {

// Appends field 5 of either message: the tensor without contents, its leading dimension being
// `rows`. Requires a rank of at least 1.
void AppendTensor(std::string* out, const TensorView& tensor, int64_t rows);

// Appends the encoded entries of the parameters that are not reserved.
void AppendVisibleParameters(std::string* out, const std::vector<ParameterView>& parameters);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_ENCODE_H_
