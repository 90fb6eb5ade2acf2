// grpc++'s callback API at its plainest: grpcpp_callback_server. Prints its port; ends with its
// stdin. The library chooses its own threads.
#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "inference.grpc.pb.h"
#include "reference/row_sums.h"

namespace {

class RowSums final : public inference::GRPCInferenceService::CallbackService {
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(skysail::reference::AnswerRowSums(*request, response)
                        ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "want FP32 [n, 16]"));
    return reactor;
  }
};

}  // namespace

int main() {
  RowSums service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown();
}
