// A whole data plane in one process, reached over gRPC: frontend, selector, batcher, one replica.
#ifndef SKYSAIL_STEADY_PLANE_H_
#define SKYSAIL_STEADY_PLANE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/grpc_server.h"
#include "services/batcher.h"
#include "services/frontend.h"
#include "services/infer_endpoint.h"
#include "services/remote_service.h"
#include "services/replica_testing.h"
#include "services/selector.h"

namespace skysail::steady {

using services::testing::TestReplica;

// What a process of its own would have: a loop thread and a listener in front of one service.
class Process {
 public:
  ~Process() {
    if (server_ != nullptr) server_->Shutdown();
    service_.reset();
    loops_.Stop();
  }
  net::LoopThreads& loops() { return loops_; }
  const std::string& address() const { return address_; }
  void Serve(std::shared_ptr<services::InferService> service, bool inner) {
    service_ = std::move(service);
    endpoint_ = std::make_unique<services::InferEndpoint>(service_);
    net::ServerOptions options;
    options.drain_timeout = 0;
    server_ = std::make_unique<net::GrpcServer>(loops_, options);
    endpoint_->AttachTo(*server_);
    const net::Address any = net::Address::Parse("127.0.0.1:0").value();
    address_ = server_->Listen(any, inner).value().ToString();
    loops_.Start();
    server_->Start();
  }

 private:
  net::LoopThreads loops_{1};
  std::shared_ptr<services::InferService> service_;
  std::unique_ptr<services::InferEndpoint> endpoint_;
  std::unique_ptr<net::GrpcServer> server_;
  std::string address_;
};

struct PlaneOptions {
  bool cache = false;
  bool mesh = false;  // each role behind a listener, called over TCP
  TimeNs objective = 5 * kSecond;
  oip::Signature signature = services::testing::SumSignature();
  TestReplica::Model model = &TestReplica::Sum;
};

class Plane {
 public:
  explicit Plane(const PlaneOptions& options)
      : replica_(options.model, "127.0.0.1:0", options.signature) {
    services::ServedVersion version;
    version.model = "sum";
    version.version = "1";
    version.digest = "one";
    version.signature = options.signature;
    version.objective = options.objective;
    version.cache = options.cache;
    version.replicas = {{"replica", replica_.address()}};
    services::Application application;
    application.name = "shop";
    application.objective = options.objective;
    application.signature = options.signature;
    application.models = {"sum"};

    Process* process = NewProcess();
    services::BatcherOptions batcher_options;
    batcher_options.cache.capacity_bytes = size_t{64} << 20;
    auto batcher = std::make_shared<services::Batcher>(process->loops(), batcher_options);
    static_cast<void>(batcher->Publish({version}, 1));
    std::shared_ptr<services::InferService> next = Next(batcher, options.mesh, &process);
    auto selector = std::make_shared<services::Selector>(process->loops(), next);
    static_cast<void>(selector->Publish({application}, {{"sum", {{"1", 1.0}}, ""}}, 1));
    next = Next(selector, options.mesh, &process);
    auto frontend = std::make_shared<services::Frontend>(process->loops(), next);
    static_cast<void>(frontend->Publish({application}, 1));
    process->Serve(frontend, false);
    address_ = process->address();
  }
  ~Plane() {
    while (!processes_.empty()) processes_.pop_back();  // callers before whom they call
  }
  const std::string& address() const { return address_; }

 private:
  Process* NewProcess() {
    processes_.push_back(std::make_unique<Process>());
    return processes_.back().get();
  }
  // What the service before `service` calls: itself, or the way to it from another process, which
  // `process` becomes.
  std::shared_ptr<services::InferService> Next(std::shared_ptr<services::InferService> service,
                                               bool mesh, Process** process) {
    if (!mesh) return service;
    (*process)->Serve(std::move(service), true);
    const std::string address = (*process)->address();
    *process = NewProcess();
    auto remote = std::make_shared<services::RemoteService>((*process)->loops());
    static_cast<void>(remote->Publish({{"next", address, true}}, 1));
    return remote;
  }
  TestReplica replica_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::string address_;
};

}  // namespace skysail::steady

#endif  // SKYSAIL_STEADY_PLANE_H_
