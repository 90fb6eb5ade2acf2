// From the bytes that came to a request that services can work with.
#ifndef SKYSAIL_SERVICES_INTAKE_H_
#define SKYSAIL_SERVICES_INTAKE_H_

#include <memory>
#include <string_view>

#include "base/slice.h"
#include "base/status.h"
#include "services/infer_call.h"

namespace skysail::services {

// Parses and bounds-checks `message`, brings tensors into raw form, reads the reserved parameters
// that this caller may set (`inner`: all of them; otherwise the context, and the others are taken out
// of the message, so that no later service believes them) and mints the prediction id unless an
// inner caller brought one. InvalidArgument says what is wrong with the message.
//
// A well-formed raw message is not copied.
Result<std::unique_ptr<InferRequest>> ReadRequest(Slice message, bool inner);

// What another Skysail service has decided about a request, told beside the message; the views must
// lie in what `message` keeps alive. An empty application is the model's own.
struct Decisions {
  std::string_view application, model, version;
  PredictionId prediction{};
};
// The same for a message that came with `decisions`, which stand over what it says.
Result<std::unique_ptr<InferRequest>> ReadForwarded(Slice message, const Decisions& decisions);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_INTAKE_H_
