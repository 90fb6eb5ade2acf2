// From an InferResponse to the bytes that leave the process, and back on the other side of a hop.
#ifndef SKYSAIL_SERVICES_ANSWER_H_
#define SKYSAIL_SERVICES_ANSWER_H_

#include <string_view>

#include "base/slice.h"
#include "base/status.h"
#include "services/infer_call.h"

namespace skysail::services {

// What an answer repeats of its request. The views must outlive the encoding.
struct Addressee {
  std::string_view model_name;  // as called
  std::string_view id;          // the caller's, as it came
  PredictionId prediction{};    // zero: not told
};

// An encoded ModelInferResponse. Requires response.status.ok(). The payload is not copied.
Bytes EncodeAnswer(const Addressee& to, InferResponse response);

// Reads an answer that another service sent; Internal when it is not a well-formed message. The payload
// refers to `message`.
InferResponse DecodeAnswer(const Slice& message);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_ANSWER_H_
