// Where calls enter a process: the gRPC methods ModelInfer and ModelStreamInfer in front of an
// InferService.
//
// Parses and bounds-checks the message, brings it into raw form, and encodes the answer. On inner
// listeners (callers are trusted) the pinned version and the reserved parameters are believed; on
// others every reserved parameter but `skysail.context` is dropped, and `model_version` is a wish
// that the selector grants when the route has that version.
//
// ModelStreamInfer answers each request of a stream as soon as it is known: answers come in order of
// completion, each with its request's id.
#ifndef SKYSAIL_SERVICES_INFER_ENDPOINT_H_
#define SKYSAIL_SERVICES_INFER_ENDPOINT_H_

#include <memory>

#include "net/grpc_server.h"
#include "services/infer_call.h"

namespace skysail::services {

// Thread-safe. Must outlive the server it is attached to.
class InferEndpoint final : public net::UnaryHandler {
 public:
  explicit InferEndpoint(std::shared_ptr<InferService> service);
  // Registers the methods, and skysail.v1.Hop for inner callers; before the server starts.
  void AttachTo(net::GrpcServer& server);
  void Handle(net::UnaryCall call) override;

 private:
  std::shared_ptr<InferService> service_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_INFER_ENDPOINT_H_
