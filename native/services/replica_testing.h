// A real replica in this process: a gRPC server, a model server, and a thread that plays the model.
#ifndef SKYSAIL_SERVICES_REPLICA_TESTING_H_
#define SKYSAIL_SERVICES_REPLICA_TESTING_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/grpc_server.h"
#include "services/infer_endpoint.h"
#include "services/model_server.h"
#include "services/testing.h"

namespace skysail::services::testing {

class TestReplica {
 public:
  using Model = std::function<void(ModelTask&)>;

  // `model` runs on the replica's own thread, one task at a time; it must answer each. Where an address
  // is given the replica takes the place of one that listened there before.
  explicit TestReplica(Model model = &Sum, const std::string& address = "127.0.0.1:0",
                       oip::Signature signature = SumSignature(),
                       const std::string& version = "1")
      : loops_(1),
        server_(std::make_shared<ModelServer>(
            ModelServerOptions{"sum", version, std::move(signature)})),
        endpoint_(server_) {
    net::ServerOptions options;
    options.drain_timeout = 0;  // ends as a crash does: nothing in flight is answered
    grpc_ = std::make_unique<net::GrpcServer>(loops_, options);
    endpoint_.AttachTo(*grpc_);
    address_ = grpc_->Listen(net::Address::Parse(address).value(), true).value().ToString();
    loops_.Start();
    grpc_->Start();
    model_thread_ = std::thread([this, model = std::move(model)] {
      while (!server_->closed()) {
        const std::shared_ptr<ModelTask> task = server_->Next(50 * kMillisecond);
        if (task == nullptr) continue;
        {
          std::lock_guard<std::mutex> lock(mu_);
          if (batch_rows_.size() < kMostRecorded) batch_rows_.push_back(task->rows());
        }
        model(*task);
      }
    });
  }
  ~TestReplica() {
    Crash();
    server_->Close();
    model_thread_.join();
    loops_.Stop();
  }
  void Crash() { grpc_->Shutdown(); }

  const std::string& address() const { return address_; }
  // Of the first so many batches, in order.
  static constexpr size_t kMostRecorded = 4096;
  std::vector<int64_t> batch_rows() const {
    std::lock_guard<std::mutex> lock(mu_);
    return batch_rows_;
  }

  // Models.
  static void Sum(ModelTask& task) {
    oip::RequestView view;
    static_cast<void>(oip::ParseRequest(task.message().view(), &view));
    const std::vector<float> x = ReadFloats(view.inputs[0].raw);
    std::vector<float> sums;
    for (size_t i = 0; i + 1 < x.size(); i += 2) sums.push_back(x[i] + x[i + 1]);
    static_cast<void>(task.Respond(Slice::Copy(SumResponse(sums))));
  }
  static Model Slow(TimeNs time) {
    return [time](ModelTask& task) {
      std::this_thread::sleep_for(std::chrono::nanoseconds(time));
      Sum(task);
    };
  }

 private:
  net::LoopThreads loops_;
  const std::shared_ptr<ModelServer> server_;
  InferEndpoint endpoint_;
  std::unique_ptr<net::GrpcServer> grpc_;
  std::string address_;
  std::thread model_thread_;
  mutable std::mutex mu_;
  std::vector<int64_t> batch_rows_;  // guarded by mu_
};

// Lets models of the test's choosing wait for it.
class Gate {
 public:
  void Open() {
    std::lock_guard<std::mutex> lock(mu_);
    open_ = true;
    changed_.notify_all();
  }
  void Close() {
    std::lock_guard<std::mutex> lock(mu_);
    open_ = false;
  }
  // Waits until it is open.
  void Pass() {
    std::unique_lock<std::mutex> lock(mu_);
    ++waiting_;
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  int waiting() const {
    std::lock_guard<std::mutex> lock(mu_);
    return waiting_;
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

}  // namespace skysail::services::testing

#endif  // SKYSAIL_SERVICES_REPLICA_TESTING_H_
