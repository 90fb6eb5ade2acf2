#include "services/intake.h"

#include <optional>
#include <string>
#include <utility>

#include "oip/text.h"
#include "oip/transform.h"
#include "services/prediction_id.h"
#include "services/reserved.h"

namespace skysail::services {
namespace {

using oip::ParameterView;

// Reserved, but any caller may set it.
bool IsCallers(const ParameterView& parameter) {
  return parameter.name == kContextParameter || parameter.name == kPriorityParameter;
}

bool HasForbiddenParameter(const oip::RequestView& view) {
  for (const ParameterView& parameter : view.parameters) {
    if (oip::IsReserved(parameter.name) && !IsCallers(parameter)) return true;
  }
  return false;
}

// The message without the reserved parameters that its caller may not set.
Slice WithoutForbiddenParameters(const oip::RequestView& view) {
  std::string out;
  oip::FieldWriter writer(&out);
  writer.String(1, view.model_name);
  if (!view.model_version.empty()) writer.String(2, view.model_version);
  if (!view.id.empty()) writer.String(3, view.id);
  for (const ParameterView& parameter : view.parameters) {
    if (IsCallers(parameter)) out.append(parameter.entry);
  }
  for (const std::string_view span : view.visible) out.append(span);
  return Slice::Copy(out);
}

// Puts another message in the place of the one that was parsed.
Status Adopt(Slice message, InferRequest* request) {
  request->message = std::move(message);
  request->view.Clear();
  return oip::ParseRequest(request->message.view(), &request->view);
}

Status ReadText(const ParameterView& parameter, std::string_view* value) {
  if (parameter.kind != ParameterView::Kind::kString) {
    return InvalidArgument("parameter '" + std::string(parameter.name) + "' must be a string");
  }
  *value = parameter.text;
  return Status::Ok();
}

Status ReadReserved(InferRequest* request) {
  for (const ParameterView& parameter : request->view.parameters) {
    if (!oip::IsReserved(parameter.name)) continue;
    Status status;
    if (parameter.name == kContextParameter) {
      status = ReadText(parameter, &request->context);
    } else if (parameter.name == kPriorityParameter) {
      std::string_view name;
      status = ReadText(parameter, &name);
      const std::optional<batching::Priority> wish = batching::ParsePriority(name);
      if (status.ok() && !wish.has_value()) {
        status = InvalidArgument("parameter 'skysail.priority' must be high, normal or low, got " +
                                 oip::Quote(name));
      }
      request->priority_wish = wish.value_or(request->priority_wish);
    } else if (parameter.name == kApplicationParameter) {
      status = ReadText(parameter, &request->application);
    } else if (parameter.name == kPredictionParameter) {
      std::string_view hex;
      status = ReadText(parameter, &hex);
      if (status.ok() && !PredictionFromHex(hex, &request->prediction)) {
        status = InvalidArgument("parameter 'skysail.prediction' must be 32 hexadecimal digits");
      }
    }
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

}  // namespace

Result<std::unique_ptr<InferRequest>> ReadRequest(Slice message, bool inner) {
  auto request = std::make_unique<InferRequest>();
  Status status = Adopt(std::move(message), request.get());
  if (!status.ok()) return status;
  if (!oip::IsRaw(request->view)) {
    Result<Slice> raw = oip::NormalizeRequest(request->view);
    if (!raw.ok()) return raw.status();
    // The old message must live until the new one is parsed: `raw` owns its own bytes.
    status = Adopt(std::move(raw.value()), request.get());
    if (!status.ok()) return status;
  }
  if (!inner && HasForbiddenParameter(request->view)) {
    status = Adopt(WithoutForbiddenParameters(request->view), request.get());
    if (!status.ok()) return status;
  }
  if (request->view.model_name.empty()) {
    return InvalidArgument("model_name is empty: name the model or application to call");
  }
  request->application = request->view.model_name;
  request->version = request->view.model_version;
  status = ReadReserved(request.get());
  if (!status.ok()) return status;
  if (!IsMinted(request->prediction)) {
    request->prediction = MintPrediction(request->application, request->context);
  }
  return request;
}

Result<std::unique_ptr<InferRequest>> ReadForwarded(Slice message, const Decisions& decisions) {
  auto request = std::make_unique<InferRequest>();
  Status status = Adopt(std::move(message), request.get());
  if (!status.ok()) return status;
  if (!oip::IsRaw(request->view)) return InvalidArgument("a forwarded request must be raw");
  status = ReadReserved(request.get());
  if (!status.ok()) return status;
  request->view.model_name = decisions.model;
  request->application =
      decisions.application.empty() ? decisions.model : decisions.application;
  request->version = decisions.version;
  request->prediction = decisions.prediction;
  return request;
}

}  // namespace skysail::services
