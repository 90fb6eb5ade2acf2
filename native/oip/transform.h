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
  void Parameter(std::string_view name, const char* value) {
    Parameter(name, std::string_view(value));  // else a literal would become a bool
  }
  void Parameter(std::string_view name, bool value);
  void Parameter(std::string_view name, int64_t value);
  void Parameter(std::string_view name, double value);

 private:
  std::string* out_;
};

// The request as it goes on to a peer: `message` as it is, then the given fields, which override
// those of the message. `parameters` holds encoded field 4 entries (FieldWriter::Parameter).
Bytes AppendHead(const Slice& message, std::string_view model_name, std::string_view model_version,
                 std::string_view parameters = {});

// The request as a model sees it: the given names, then the visible fields of `message`, not
// copied; no id and no reserved parameters.
Bytes ModelRequest(const Slice& message, const RequestView& view, std::string_view model_name,
                   std::string_view model_version);

// True when every tensor already has raw contents (or there are no tensors at all).
bool IsRaw(const RequestView& request);
bool IsRaw(const ResponseView& response);
// The same request with every tensor in raw little-endian form, as one contiguous message.
// InvalidArgument when the typed contents do not fit the datatype (wrong list, value out of range),
// are not as many as the shape says, or an input has no contents although its shape has elements;
// names the tensor. Everything else is kept, reserved parameters and fields of later protocols too.
Result<Slice> NormalizeRequest(const RequestView& request);
// Likewise for a response (servers may answer typed), with Internal.
Result<Slice> NormalizeResponse(const ResponseView& response);

// Two requests may share a batch only when this text is equal: model-visible parameters,
// requested outputs, and for every input name, datatype, parameters and all dimensions but the
// first, in order. The order of parameters does not matter.
std::string BatchGroup(const RequestView& request);

// One member of a batch: its message and its view (of that message), raw, checked, `rows` rows.
struct BatchMember {
  const Slice* message;
  const RequestView* view;
  int64_t rows;
};
// The stacked request. Small tensors are copied into one block, so that a socket writes one piece;
// large ones are not copied: the chain refers to the members' slices. O(members), one allocation
// for small tensors. Requires at least one member, and members of one BatchGroup. Writes
// `model_name` and `model_version` and no id.
Bytes StackRequests(const std::vector<BatchMember>& members, std::string_view model_name,
                    std::string_view model_version);

// Cuts a batch's response into the members' payloads (encoded fields 4-6, see ResponseView::
// visible), in member order; `rows[i]` rows each. Bytes of large tensors refer to `message`; the
// small ones of all members share one block, so whoever keeps a payload for long (a cache) copies
// it. Requires a raw response of `message`. Internal when an output has another number of rows.
Result<std::vector<Bytes>> SplitResponse(const Slice& message, const ResponseView& response,
                                         const std::vector<int64_t>& rows);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_TRANSFORM_H_
