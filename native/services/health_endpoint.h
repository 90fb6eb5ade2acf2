// grpc.health.v1.Health/Check in front of an InferService, for services whose Python side may be held up
// by a model: answered by the loop, without Python's lock.
#ifndef SKYSAIL_SERVICES_HEALTH_ENDPOINT_H_
#define SKYSAIL_SERVICES_HEALTH_ENDPOINT_H_

#include <memory>

#include "net/grpc_server.h"
#include "services/infer_call.h"

namespace skysail::services {

// Thread-safe. Must outlive the server it is attached to.
class HealthEndpoint final : public net::UnaryHandler {
 public:
  explicit HealthEndpoint(std::shared_ptr<const InferService> service);
  // Registers the method; before the server starts.
  void AttachTo(net::GrpcServer& server);
  // Known are the whole server ("") and the one gRPC service that an InferService answers.
  void Handle(net::UnaryCall call) override;

 private:
  const std::shared_ptr<const InferService> service_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_HEALTH_ENDPOINT_H_
