#include "services/health_endpoint.h"

#include <string>
#include <string_view>
#include <utility>

#include "oip/wire.h"

namespace skysail::services {
namespace {

// HealthCheckResponse with field 1, the status, of 1 (SERVING) or 2 (NOT_SERVING).
constexpr std::string_view kServing = "\x08\x01", kNotServing = "\x08\x02";

}  // namespace

HealthEndpoint::HealthEndpoint(std::shared_ptr<const InferService> service)
    : service_(std::move(service)) {}

void HealthEndpoint::AttachTo(net::GrpcServer& server) {
  server.AddUnary("/grpc.health.v1.Health/Check", this);
}

void HealthEndpoint::Handle(net::UnaryCall call) {
  std::string_view name;
  oip::wire::Reader reader(call.request().view());
  oip::wire::Field field;
  while (reader.Next(&field)) {
    if (field.number == 1 && field.type == oip::wire::Type::kLength) name = field.bytes;
  }
  if (!reader.ok()) return call.Fail(InvalidArgument("this is no HealthCheckRequest"));
  if (!name.empty() && name != "inference.GRPCInferenceService") {
    return call.Fail(NotFound("there is no service '" + std::string(name) + "' here"));
  }
  call.Respond(Bytes(Slice::Static(service_->Healthy() ? kServing : kNotServing)));
}

}  // namespace skysail::services
