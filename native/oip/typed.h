// Typed tensor contents (InferTensorContents) to raw little-endian form.
#ifndef SKYSAIL_OIP_TYPED_H_
#define SKYSAIL_OIP_TYPED_H_

#include <string>

#include "oip/tensor.h"

namespace skysail::oip {

// Appends to `raw` the elements of a tensor that has typed contents. Returns what is wrong with
// them, in words that follow "tensor 'x': ", or nothing: a list that is not the datatype's, a value
// that the datatype cannot hold, another number of elements than the shape says.
std::string AppendTyped(const TensorView& tensor, std::string* raw);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_TYPED_H_
