#include "services/answer.h"

#include <array>
#include <string>
#include <utility>

#include "oip/response.h"
#include "oip/transform.h"
#include "services/prediction_id.h"
#include "services/reserved.h"

namespace skysail::services {
namespace {

std::string_view CacheOutcomeName(CacheOutcome outcome) {
  switch (outcome) {
    case CacheOutcome::kNone: return "";
    case CacheOutcome::kHit: return "hit";
    case CacheOutcome::kMiss: return "miss";
    case CacheOutcome::kCoalesced: return "coalesced";
  }
  return "";
}

// The whole parameter, made once; nothing for kNone.
std::string_view CacheEntry(CacheOutcome outcome) {
  static const auto* const entries = [] {
    auto* made = new std::array<std::string, 4>;
    for (size_t i = 1; i < made->size(); ++i) {
      oip::FieldWriter writer(&(*made)[i]);
      writer.Parameter(kCacheParameter, CacheOutcomeName(static_cast<CacheOutcome>(i)));
    }
    return made;
  }();
  return (*entries)[static_cast<size_t>(outcome)];
}

CacheOutcome ParseCacheOutcome(std::string_view name) {
  if (name == "hit") return CacheOutcome::kHit;
  if (name == "miss") return CacheOutcome::kMiss;
  if (name == "coalesced") return CacheOutcome::kCoalesced;
  return CacheOutcome::kNone;
}

}  // namespace

Bytes EncodeAnswer(const Addressee& to, InferResponse response) {
  thread_local std::string parameters;  // keeps its capacity from call to call
  parameters.clear();
  oip::FieldWriter writer(&parameters);
  if (IsMinted(to.prediction)) {
    char hex[kPredictionHexDigits];
    PredictionToHex(to.prediction, hex);
    writer.Parameter(kPredictionParameter, std::string_view(hex, sizeof(hex)));
  }
  if (!response.model.empty()) {
    writer.Parameter(kModelsParameter, std::string_view(response.model));
  }
  parameters.append(CacheEntry(response.cache));
  if (response.is_default) {
    writer.Parameter(kDefaultParameter, true);
    writer.Parameter(kReasonParameter, std::string_view(response.reason));
  }
  return oip::EncodeResponse({to.model_name, response.version, to.id, parameters},
                             std::move(response.payload));
}

InferResponse DecodeAnswer(const Slice& message) {
  thread_local oip::ResponseView view;
  view.Clear();
  Status status = oip::ParseResponseHead(message.view(), &view);
  if (!status.ok()) return InferResponse::Error(std::move(status));
  InferResponse response;
  response.version = view.model_version;
  for (const oip::ParameterView& parameter : view.parameters) {
    if (parameter.name == kModelsParameter) {
      response.model = parameter.text;
    } else if (parameter.name == kCacheParameter) {
      response.cache = ParseCacheOutcome(parameter.text);
    } else if (parameter.name == kDefaultParameter) {
      response.is_default = parameter.number != 0;
    } else if (parameter.name == kReasonParameter) {
      response.reason = parameter.text;
    }
  }
  if (response.model.empty() && !response.is_default) response.model = view.model_name;
  response.payload = oip::PayloadOf(message, view);
  return response;
}

}  // namespace skysail::services
