#include "services/hop_frame.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "net/status_codes.h"
#include "oip/gather.h"
#include "oip/wire.h"
#include "services/prediction_id.h"

namespace skysail::services {
namespace {

namespace wire = oip::wire;

// Longer time-outs than a year are none, and would overflow.
constexpr uint64_t kMostTimeoutUs = uint64_t{366} * 24 * 3600 * 1000 * 1000;

void AppendNumber(std::string* out, int field, uint64_t value) {
  if (value != 0) wire::AppendNumber(out, field, value);
}
void AppendText(std::string* out, int field, std::string_view text) {
  if (!text.empty()) wire::AppendBytes(out, field, text);
}

// Keeps its capacity from frame to frame.
std::string& Scratch() {
  thread_local std::string scratch;
  scratch.clear();
  return scratch;
}

std::string& TimingScratch() {
  thread_local std::string scratch;
  scratch.clear();
  return scratch;
}

// The head and the message after it: in one block when that is small.
Bytes Frame(std::string_view head, const Bytes& message) {
  size_t copied = head.size();
  for (size_t i = 0; i < message.slices(); ++i) copied += oip::Gather::Copied(message.slice(i).size());
  oip::Gather gather(copied);
  gather.Copy(head);
  for (size_t i = 0; i < message.slices(); ++i) {
    gather.Piece(message.slice(i), message.slice(i).view());
  }
  return gather.Take();
}

Status Malformed(const char* what) {
  return Internal(std::string("a Skysail service sent a malformed ") + what);
}

// Looks at every field of a frame; false when one is malformed or of another type than expected.
// Fields of later releases are passed over.
template <typename OnNumber, typename OnText>
bool Walk(std::string_view frame, OnNumber on_number, OnText on_text) {
  wire::Reader reader(frame);
  wire::Field field;
  while (reader.Next(&field)) {
    const bool fits = field.type == wire::Type::kVarint   ? on_number(field.number, field.value)
                      : field.type == wire::Type::kLength ? on_text(field.number, field.bytes)
                                                          : true;
    if (!fits) return false;
  }
  return reader.ok();
}

TimeNs FromMicroseconds(uint64_t us) {
  return static_cast<TimeNs>(std::min(us, kMostTimeoutUs)) * kMicrosecond;
}

}  // namespace

Status ParseHopRequest(std::string_view frame, HopRequestView* view) {
  const bool read = Walk(
      frame,
      [view](uint32_t number, uint64_t value) {
        switch (number) {
          case 1: view->call_id = value; break;
          case 2: view->cancel = value != 0; break;
          case 3: view->timeout = FromMicroseconds(value); break;
          default: break;
        }
        return true;
      },
      [view](uint32_t number, std::string_view text) {
        switch (number) {
          case 5:
            if (!telemetry::IsTracestate(text)) return false;
            view->trace.state = text;
            break;
          case 6: view->application = text; break;
          case 7: view->model = text; break;
          case 8: view->version = text; break;
          case 9:
            if (text.size() != view->prediction.size()) return false;
            std::memcpy(view->prediction.data(), text.data(), text.size());
            break;
          case 10: return telemetry::ReadBinaryTrace(text, &view->trace);
          case 15: view->request = text; break;
          default: break;
        }
        return true;
      });
  if (!read || (view->call_id & 0xffffffff) >= kMaxHopCalls) return Malformed("HopRequest");
  return Status::Ok();
}

Bytes EncodeHopRequest(uint64_t call_id, const InferCall& call, TimeNs now) {
  const InferRequest& request = call.request();
  std::string& head = Scratch();
  AppendNumber(&head, 1, call_id);
  if (call.deadline() != kNever) {
    const TimeNs left = std::max<TimeNs>(call.deadline() - now, 0);
    wire::AppendNumber(&head, 3, static_cast<uint64_t>(left / kMicrosecond));
  }
  const std::string_view model = request.model.empty() ? request.view.model_name : request.model;
  if (request.application != model) AppendText(&head, 6, request.application);
  AppendText(&head, 7, model);
  AppendText(&head, 8, request.version);
  wire::AppendBytes(&head, 9,
                    {reinterpret_cast<const char*>(request.prediction.data()),
                     request.prediction.size()});
  if (call.trace.valid()) {
    AppendText(&head, 5, call.trace.state);
    char trace[telemetry::kBinaryTraceSize];
    telemetry::PutBinaryTrace(call.trace, trace);
    wire::AppendBytes(&head, 10, {trace, sizeof(trace)});
  }
  wire::AppendPrefix(&head, 15, request.message.size());
  return Frame(head, request.message);
}

Bytes EncodeHopCancel(uint64_t call_id) {
  std::string& frame = Scratch();
  AppendNumber(&frame, 1, call_id);
  AppendNumber(&frame, 2, 1);
  return Bytes(Slice::Copy(frame));
}

Bytes EncodeHopResponse(uint64_t call_id, InferResponse response) {
  std::string& head = Scratch();
  AppendNumber(&head, 1, call_id);
  std::string& timing = TimingScratch();
  AppendTiming(response.timing, &timing);
  AppendText(&head, 11, timing);
  if (!response.status.ok()) {
    AppendNumber(&head, 2, static_cast<uint64_t>(net::GrpcCode(response.status.kind())));
    AppendText(&head, 3, response.status.message());
    AppendNumber(&head, 4, response.unprocessed ? 1 : 0);
    AppendNumber(&head, 5, static_cast<uint64_t>(response.retry_after / kMicrosecond));
    return Bytes(Slice::Copy(head));
  }
  AppendText(&head, 6, response.model);
  AppendText(&head, 7, response.version);
  AppendNumber(&head, 8, static_cast<uint64_t>(response.cache));
  AppendNumber(&head, 9, response.is_default ? 1 : 0);
  AppendText(&head, 10, response.reason);
  wire::AppendPrefix(&head, 15, response.payload.size());
  return Frame(head, response.payload);
}

Status ParseHopResponse(const Slice& frame, uint64_t* call_id, InferResponse* response) {
  ErrorKind kind = ErrorKind::kOk;
  std::string_view message, payload;
  const bool read = Walk(
      frame.view(),
      [&](uint32_t number, uint64_t value) {
        switch (number) {
          case 1: *call_id = value; break;
          case 2: kind = net::KindOfGrpcCode(value > 16 ? -1 : static_cast<int>(value)); break;
          case 4: response->unprocessed = value != 0; break;
          case 5: response->retry_after = FromMicroseconds(value); break;
          case 8:
            if (value > static_cast<uint64_t>(CacheOutcome::kCoalesced)) return false;
            response->cache = static_cast<CacheOutcome>(value);
            break;
          case 9: response->is_default = value != 0; break;
          default: break;
        }
        return true;
      },
      [&](uint32_t number, std::string_view text) {
        switch (number) {
          case 3: message = text; break;
          case 6: response->model = text; break;
          case 7: response->version = text; break;
          case 10: response->reason = text; break;
          case 11: return ParseTiming(text, &response->timing);
          case 15: payload = text; break;
          default: break;
        }
        return true;
      });
  if (!read) return Malformed("HopResponse");
  if (kind != ErrorKind::kOk) {
    response->status = Status(kind, std::string(message));
  } else if (!payload.empty()) {
    response->payload = Bytes(frame.Sub(payload));
  }
  return Status::Ok();
}

}  // namespace skysail::services
