// Making messages out of messages: typed tensors to raw form, many requests to one batch, one
// batch's response to many, and the fields that services add.
#ifndef SKYSAIL_OIP_TRANSFORM_H_
#define SKYSAIL_OIP_TRANSFORM_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/slice.h"
#include "base/status.h"
#include "oip/message.h"
#include "oip/signature.h"

namespace skysail::oip {

// Appends encoded fields to a string; the message is whatever was appended (concatenated protobuf
// messages merge, so fields may be appended to an encoded message to override or extend it).
class FieldWriter {
 public:
  explicit FieldWriter(std::string* out) : out_(out) {}
  void String(int field, std::string_view value);  // also bytes and encoded sub-messages
  void Parameter(std::string_view name, std::string_view value);  // field 4, string_param
  void Parameter(std::string_view name, bool value);
  void Parameter(std::string_view name, int64_t value);
  void Parameter(std::string_view name, double value);

 private:
  std::string* out_;
};

// True when every input already has raw contents (or there are none at all).
bool IsRaw(const RequestView& request);
// The same request with every tensor in raw little-endian form, as one contiguous message.
// InvalidArgument when the typed contents do not fit the datatype (wrong list, value out of range)
// or an input has no contents although its shape has elements; names the tensor.
Result<Slice> NormalizeRequest(const RequestView& request);
// Likewise for a response (servers may answer typed).
Result<Slice> NormalizeResponse(const ResponseView& response);

// Two requests may share a batch only when this text is equal: model-visible parameters,
// requested outputs, and for every input name, datatype, parameters and all dimensions but the
// first, in order.
std::string BatchGroup(const RequestView& request);

// One member of a batch: its message and its view (of that message), raw, checked, `rows` rows.
struct BatchMember {
  const Slice* message;
  const RequestView* view;
  int64_t rows;
};
// The stacked request. Tensor bytes are not copied: the chain refers to the members' slices.
// Requires members of one BatchGroup. Writes `model_name` and `model_version` and no id.
Bytes StackRequests(const std::vector<BatchMember>& members, std::string_view model_name,
                    std::string_view model_version);

// Cuts a batch's response into the members' payloads (encoded fields 4-6, see ResponseView::
// visible), in member order; `rows[i]` rows each. Bytes of large tensors refer to `message`.
// Requires a response that passed CheckResponse and is raw, and contiguous `message` behind it.
Result<std::vector<Bytes>> SplitResponse(const Slice& message, const ResponseView& response,
                                         const std::vector<int64_t>& rows);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_TRANSFORM_H_
