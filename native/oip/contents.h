// Does a tensor hold what it says?
#ifndef SKYSAIL_OIP_CONTENTS_H_
#define SKYSAIL_OIP_CONTENTS_H_

#include <string>

#include "oip/tensor.h"

namespace skysail::oip {

// What is wrong with a raw tensor, in words that follow "tensor 'x': ", or nothing: its bytes are
// not as many as shape and datatype take (BYTES elements are walked), or it has no contents
// although its shape has elements. Requires a valid datatype. O(1), O(elements) for BYTES.
std::string CheckContents(const TensorView& tensor);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_CONTENTS_H_
