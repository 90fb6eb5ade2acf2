#include "services/trace_metadata.h"

#include <string>
#include <string_view>

namespace skysail::services {
namespace {

constexpr std::string_view kParent = "traceparent";
constexpr std::string_view kState = "tracestate";

}  // namespace

telemetry::TraceContext ReadTrace(const net::Metadata& metadata) {
  std::string_view parent, state;
  std::string joined;
  for (const auto& [name, value] : metadata) {
    if (name == kParent) {
      if (!parent.empty()) return telemetry::ReadTrace("several", {});
      parent = value;
    } else if (name == kState && !value.empty()) {
      if (state.empty()) {
        state = value;
      } else {
        if (joined.empty()) joined = state;
        if (joined.size() <= telemetry::kMaxTracestateBytes) joined.append(",").append(value);
      }
    }
  }
  return telemetry::ReadTrace(parent, joined.empty() ? state : std::string_view(joined));
}

void AddTrace(const telemetry::TraceContext& context, net::Metadata* metadata) {
  if (!context.valid()) return;
  std::string parent(telemetry::kTraceparentSize, '\0');
  telemetry::FormatTraceparent(context, parent.data());
  metadata->Add(std::string(kParent), std::move(parent));
  if (!context.state.empty()) metadata->Add(std::string(kState), context.state);
}

}  // namespace skysail::services
