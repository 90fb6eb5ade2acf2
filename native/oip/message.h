// Views of encoded ModelInferRequest and ModelInferResponse messages. Nothing is copied: a view
// points into the bytes it was parsed from, which must outlive it.
//
// Field numbers (public protocol): request model_name 1, model_version 2, id 3, parameters 4,
// inputs 5, outputs 6, raw_input_contents 7; response model_name 1, model_version 2, id 3,
// parameters 4, outputs 5, raw_output_contents 6. A scalar that occurs twice: the last one counts.
#ifndef SKYSAIL_OIP_MESSAGE_H_
#define SKYSAIL_OIP_MESSAGE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/slice.h"
#include "base/status.h"
#include "oip/tensor.h"

namespace skysail::oip {

// One entry of a parameters map.
struct ParameterView {
  enum class Kind : uint8_t { kNone, kBool, kInt64, kString, kDouble, kUint64 };
  std::string_view name;
  std::string_view entry;  // the whole encoded field: tag, length, map entry
  Kind kind = Kind::kNone;
  std::string_view text;   // kString
  int64_t number = 0;      // kBool (0 or 1), kInt64, kUint64 (its bits)
  double real = 0;         // kDouble
};
// Parameters whose names begin so carry what OIP lacks between Skysail services; none of them ever
// reaches a model.
inline constexpr std::string_view kReservedPrefix = "skysail.";

// Most entries of each repeated field that a message may have: an entry takes two bytes of a
// message and a hundred times that in its view.
inline constexpr size_t kMaxEntries = 16384;

// The entry of that name, or null. A name that occurs twice: the last one counts, as in every map.
const ParameterView* FindParameter(const std::vector<ParameterView>& parameters,
                                   std::string_view name);
inline bool IsReserved(std::string_view name) {
  return name.substr(0, kReservedPrefix.size()) == kReservedPrefix;
}

struct RequestedOutputView {
  std::string_view name;
  std::string_view parameters;  // the encoded map entries
};

struct RequestView {
  std::string_view message;  // all of it
  std::string_view model_name, model_version, id;
  std::vector<ParameterView> parameters;  // reserved ones and repeated names included, in order
  std::vector<TensorView> inputs;         // raw contents already matched to their inputs
  std::vector<RequestedOutputView> outputs;
  // What the model may see and what the prediction cache compares: the encoded fields 4-7 without
  // reserved parameters, in order of appearance, as spans of `message`. Adjacent ones are joined.
  std::vector<std::string_view> visible;
  std::vector<std::string_view> raw_contents;  // raw_input_contents, in order

  void Clear();  // keeps capacity, so that a view can be used again without allocating
};

// Parses all of a request. InvalidArgument for anything that is not a well-formed message (a
// truncated field, wrong wire type, invalid UTF-8 in a name, a rank beyond kMaxRank, more entries
// of a field than kMaxEntries), for raw contents whose number is neither 0 nor the number of
// inputs, and for an input that has typed and raw contents; the message names the field or tensor.
// Refused too, although protobuf would merge them: contents given twice for a tensor, and
// parameters of one tensor that are not adjacent; no writer of the protocol does either. Does not
// judge shapes or sizes (see signature.h).
Status ParseRequest(std::string_view message, RequestView* view);

// The top-level fields only (names, version, id, parameters, visible): what a router needs. Fills
// no inputs, outputs or raw_contents and does not look into them.
Status ParseRequestHead(std::string_view message, RequestView* view);

struct ResponseView {
  std::string_view message;
  std::string_view model_name, model_version, id;
  std::vector<ParameterView> parameters;
  std::vector<TensorView> outputs;
  // The encoded fields 5 and 6 and the parameters that are not reserved, as spans of `message`.
  std::vector<std::string_view> visible;
  std::vector<std::string_view> raw_contents;  // raw_output_contents, in order

  void Clear();
};
// Internal (a peer broke the contract) in the cases in which ParseRequest is InvalidArgument.
Status ParseResponse(std::string_view message, ResponseView* view);
Status ParseResponseHead(std::string_view message, ResponseView* view);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_MESSAGE_H_
