// What a model takes and gives, and the checks that hold a message to it.
#ifndef SKYSAIL_OIP_SIGNATURE_H_
#define SKYSAIL_OIP_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "oip/message.h"
#include "oip/tensor.h"

namespace skysail::oip {

struct TensorSpec {
  std::string name;
  DataType datatype = DataType::kInvalid;
  Shape shape;  // -1: any
};

struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  int64_t max_rows = 0;  // most rows that the model takes in one call; 0: no stated maximum

  // True when there are inputs, and every input and output has a leading -1: rows of several
  // callers may be stacked.
  bool Stackable() const;
};

// InvalidArgument naming tensor, expected and got, when the request has an input that the model
// does not have, lacks one or has it twice; when datatype, rank or a fixed dimension differs; when
// the bytes of a tensor are not what its shape and datatype say (BYTES elements are walked); when
// a stackable model gets inputs of different row counts, or not one element (an empty batch); when
// a requested output is unknown or repeated; when there are more rows than max_rows. `rows` is set
// to the leading dimension (1 for a model that is not stackable). Requires raw contents: call
// NormalizeRequest first.
Status CheckRequest(const Signature& signature, const RequestView& request, int64_t* rows);

// Internal naming the contract that the model broke. `rows`: what every output must have first
// when the model is stackable. `requested` empty means all outputs of the signature are owed; an
// output of the signature that was not requested is let through.
Status CheckResponse(const Signature& signature, const ResponseView& response,
                     const std::vector<RequestedOutputView>& requested, int64_t rows);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_SIGNATURE_H_
