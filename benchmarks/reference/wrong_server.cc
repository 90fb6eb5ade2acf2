// A server that is wrong on purpose, for the tests of the load generator:
// wrong_server value|status|empty|late [EVERY]. Every EVERY-th call is answered wrongly: "value"
// with another sum, "status" with UNAVAILABLE, "empty" with no tensor at all, "late" rightly but
// 5 ms later than need be. Prints its port; ends with its stdin.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "inference.grpc.pb.h"
#include "reference/row_sums.h"

namespace {

class WrongNowAndThen final : public inference::GRPCInferenceService::CallbackService {
 public:
  WrongNowAndThen(std::string mode, int every) : mode_(std::move(mode)), every_(every) {}

 private:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    grpc::Status status = grpc::Status::OK;
    skysail::reference::AnswerRowSums(*request, response);
    if (++calls_ % every_ == 0) {
      if (mode_ == "value") response->mutable_raw_output_contents(0)->back() ^= 1;
      if (mode_ == "empty") response->Clear();
      if (mode_ == "late") std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (mode_ == "status") status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "on purpose");
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  const std::string mode_;
  const int every_;
  std::atomic<int> calls_{0};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: wrong_server value|status|empty|late [EVERY]\n");
    return 2;
  }
  WrongNowAndThen service(argv[1], argc > 2 ? std::atoi(argv[2]) : 1);
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
