// The server's side of one ModelStreamInfer stream.
#ifndef SKYSAIL_SERVICES_INFER_STREAM_H_
#define SKYSAIL_SERVICES_INFER_STREAM_H_

#include <memory>

#include "net/grpc_server.h"
#include "services/infer_call.h"

namespace skysail::services {

// A handler that puts every message of `stream` to `service` and sends each answer as it is known, so
// answers come in order of completion. A failed request is answered in the stream (error_message,
// with the request's id); the stream goes on. Reading pauses while many requests are in flight or
// the caller takes no answers. The stream's deadline is each request's. `service` must outlive it.
std::unique_ptr<net::StreamHandler> MakeInferStream(net::ServerStream& stream,
                                                    InferService& service);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_INFER_STREAM_H_
