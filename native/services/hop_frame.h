// The frames of skysail.v1.Hop (proto/skysail/v1/hop.proto): many calls in one stream between two of
// our own services.
#ifndef SKYSAIL_SERVICES_HOP_FRAME_H_
#define SKYSAIL_SERVICES_HOP_FRAME_H_

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "services/infer_call.h"

namespace skysail::services {

inline constexpr std::string_view kHopMethod = "/skysail.v1.Hop/Infer";
// Most calls in flight on one stream; the low 32 bits of a call id are below it.
inline constexpr uint32_t kMaxHopCalls = 65536;

// A HopRequest as it came; the views point into the frame.
struct HopRequestView {
  uint64_t call_id = 0;
  bool cancel = false;
  TimeNs timeout = kNever;
  TraceContext trace;
  std::string_view application, model, version;
  PredictionId prediction{};
  std::string_view request;
};
// Internal for anything that our own services do not send.
Status ParseHopRequest(std::string_view frame, HopRequestView* view);

// The request's bytes are not copied.
Bytes EncodeHopRequest(uint64_t call_id, const InferCall& call, TimeNs now);
Bytes EncodeHopCancel(uint64_t call_id);

// The payload's bytes are not copied.
Bytes EncodeHopResponse(uint64_t call_id, InferResponse response);
// The payload refers to `frame`. Internal as above; `call_id` is set whenever it was read.
Status ParseHopResponse(const Slice& frame, uint64_t* call_id, InferResponse* response);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_HOP_FRAME_H_
