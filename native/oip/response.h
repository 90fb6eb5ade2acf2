// Responses and their payloads. A payload is what a model answered, without who answered it: the
// encoded response fields 4-6 without reserved parameters. Services pass payloads around and put a
// head before them where the response leaves the process.
#ifndef SKYSAIL_OIP_RESPONSE_H_
#define SKYSAIL_OIP_RESPONSE_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/slice.h"
#include "base/status.h"
#include "oip/message.h"

namespace skysail::oip {

// The payload of a response: slices of `message` that share its memory, one when the fields lie
// together. Requires a view of `message`, parsed at least by ParseResponseHead.
Bytes PayloadOf(const Slice& message, const ResponseView& view);

// What stands before a payload.
struct ResponseHead {
  std::string_view model_name, model_version, id;
  std::string_view parameters;  // encoded field 4 entries, as FieldWriter::Parameter writes them
};
// The whole response: the head in a slice of its own, then the payload's slices. Empty texts are
// left out, as proto3 does.
Bytes EncodeResponse(const ResponseHead& head, Bytes payload);

// The payload for `rows` rows of a raw response that holds one: every output's leading dimension
// becomes `rows` and its bytes are repeated. InvalidArgument when an output has not 1 as leading
// dimension or is not raw; ResourceExhausted beyond `max_bytes`. Takes time and memory for all
// rows.
Result<Bytes> RepeatRows(const ResponseView& one_row, int64_t rows,
                         size_t max_bytes = size_t{64} << 20);

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_RESPONSE_H_
