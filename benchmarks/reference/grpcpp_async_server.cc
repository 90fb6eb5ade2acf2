// grpc++'s completion-queue API: grpcpp_async_server [THREADS], one queue a thread, calls posted
// ahead. Prints its port; ends with its stdin.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "inference.grpc.pb.h"
#include "reference/row_sums.h"

namespace {

using inference::GRPCInferenceService;

constexpr int kPostedPerQueue = 128;

// One call after another: posted, answered, posted anew. Owns itself.
class Handler {
 public:
  Handler(GRPCInferenceService::AsyncService* service, grpc::ServerCompletionQueue* queue)
      : service_(service), queue_(queue) {
    Post();
  }

  void Proceed(bool ok) {
    if (!ok) {
      delete this;  // the server is going
    } else if (answered_) {
      Post();
    } else {
      answered_ = true;
      if (skysail::reference::AnswerRowSums(call_->request, &call_->response)) {
        call_->writer.Finish(call_->response, grpc::Status::OK, this);
      } else {
        call_->writer.FinishWithError(
            grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "want FP32 [n, 16]"), this);
      }
    }
  }

 private:
  struct Call {
    grpc::ServerContext context;
    inference::ModelInferRequest request;
    inference::ModelInferResponse response;
    grpc::ServerAsyncResponseWriter<inference::ModelInferResponse> writer{&context};
  };

  void Post() {
    answered_ = false;
    call_ = std::make_unique<Call>();
    service_->RequestModelInfer(&call_->context, &call_->request, &call_->writer, queue_, queue_,
                                this);
  }

  GRPCInferenceService::AsyncService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  std::unique_ptr<Call> call_;
  bool answered_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 64) {
    std::fprintf(stderr, "THREADS is 1 to 64\n");
    return 2;
  }
  GRPCInferenceService::AsyncService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return 1;

  std::vector<std::thread> workers;
  for (const auto& queue : queues) {
    workers.emplace_back([&service, queue = queue.get()] {
      for (int i = 0; i < kPostedPerQueue; ++i) new Handler(&service, queue);
      void* tag = nullptr;
      bool ok = false;
      while (queue->Next(&tag, &ok)) static_cast<Handler*>(tag)->Proceed(ok);
    });
  }
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server->Shutdown();
  for (const auto& queue : queues) queue->Shutdown();
  for (std::thread& worker : workers) worker.join();
}
