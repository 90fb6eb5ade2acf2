// The receiving side of a packed hop: one skysail.v1.Hop stream in front of an InferService.
#ifndef SKYSAIL_SERVICES_HOP_ENDPOINT_H_
#define SKYSAIL_SERVICES_HOP_ENDPOINT_H_

#include <memory>

#include "net/grpc_server.h"
#include "services/infer_call.h"

namespace skysail::services {

// Null on a listener that is not inner: a frame is believed, and strangers are not. Reading pauses
// while the peer takes no answers. A malformed frame ends the stream with its error, and with it the
// calls on it. `service` must outlive the handler.
std::unique_ptr<net::StreamHandler> MakeHopStream(net::ServerStream& stream, InferService& service);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_HOP_ENDPOINT_H_
