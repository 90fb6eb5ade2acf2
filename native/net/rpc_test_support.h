// What the tests of server and channel share: a server of test methods on its own threads, and a
// client that is driven by hand on the test's thread.
#ifndef SKYSAIL_NET_RPC_TEST_SUPPORT_H_
#define SKYSAIL_NET_RPC_TEST_SUPPORT_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/client_channel.h"
#include "net/grpc_server.h"

namespace skysail::net {

class FunctionHandler final : public UnaryHandler {
 public:
  explicit FunctionHandler(std::function<void(UnaryCall)> handle) : handle_(std::move(handle)) {}
  void Handle(UnaryCall call) override { handle_(std::move(call)); }

 private:
  const std::function<void(UnaryCall)> handle_;
};

// Sends every message back; ends with OK when the caller half-closes.
class EchoStream final : public StreamHandler {
 public:
  explicit EchoStream(ServerStream& stream) : stream_(stream) {}
  void OnMessage(Slice message) override { stream_.Send(std::move(message)); }
  void OnHalfClose() override { stream_.Finish(Status::Ok()); }
  void OnDone(bool) override {}

 private:
  ServerStream& stream_;
};

// A server on a free port. Methods are added through server() before Start.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, int threads = 1)
      : loops_(threads), server_(loops_, options) {
    AddUnary("/t.T/Echo", [](UnaryCall call) {
      Bytes answer(call.request());
      call.Respond(std::move(answer));
    });
    server_.AddStream("/t.T/EchoStream",
                      [](ServerStream& stream) { return std::make_unique<EchoStream>(stream); });
  }
  ~TestServer() { Stop(); }

  void AddUnary(const std::string& path, std::function<void(UnaryCall)> handle) {
    handlers_.push_back(std::make_unique<FunctionHandler>(std::move(handle)));
    server_.AddUnary(path, handlers_.back().get());
  }
  Address Start(const std::string& address = "127.0.0.1:0") {
    Result<Address> bound = server_.Listen(*Address::Parse(address), true);
    EXPECT_TRUE(bound.ok()) << bound.status().ToString();
    server_.Start();
    loops_.Start();
    return *bound;
  }
  void Stop() {
    server_.Shutdown();
    loops_.Stop();
  }
  GrpcServer& server() { return server_; }
  LoopThreads& loops() { return loops_; }

 private:
  LoopThreads loops_;
  std::vector<std::unique_ptr<UnaryHandler>> handlers_;
  GrpcServer server_;
};

// Remembers what a call was told.
class Recorder final : public ClientStreamHandler {
 public:
  void OnInitialMetadata(const Metadata& metadata) override { initial = metadata; }
  void OnMessage(Slice message) override {
    bytes += message.size();
    messages.emplace_back(message.view());
    if (on_message) on_message();
  }
  void OnWritable() override { ++writable; }
  void OnDone(CallResult outcome) override {
    ASSERT_FALSE(result.has_value()) << "told OnDone twice";
    result = std::move(outcome);
    if (on_done) on_done();
  }
  bool done() const { return result.has_value(); }
  const Status& status() const { return result->status; }

  Metadata initial;
  std::vector<std::string> messages;
  size_t bytes = 0;
  int writable = 0;
  std::optional<CallResult> result;
  std::function<void()> on_message;
  std::function<void()> on_done;
};

inline Slice Text(std::string_view text) { return Slice::Copy(text); }

// A loop and a channel, turned by the test.
class TestClient {
 public:
  explicit TestClient(Address address, ChannelOptions options = {})
      : channel_(std::make_unique<ClientChannel>(loop_, std::move(address), options)) {}

  EventLoop& loop() { return loop_; }
  ClientChannel& channel() { return *channel_; }
  void DropChannel() { channel_.reset(); }
  TimeNs Now() const { return SystemClock::Get().Now(); }

  // Turns the loop until `met`; false when it is not within `limit`.
  bool Until(const std::function<bool()>& met, TimeNs limit = 10 * kSecond) {
    const TimeNs end = Now() + limit;
    while (!met()) {
      if (Now() >= end) return false;
      loop_.RunOnce(5 * kMillisecond);
    }
    return true;
  }
  bool Finish(Recorder& call) {
    return Until([&call] { return call.done(); });
  }
  // One unary call from start to end.
  std::unique_ptr<Recorder> Call(std::string_view path, std::string_view request,
                                 CallOptions options = {}) {
    auto call = std::make_unique<Recorder>();
    channel_->StartUnary(path, options, Text(request), call.get());
    EXPECT_TRUE(Finish(*call)) << "no end of " << path;
    return call;
  }

 private:
  EventLoop loop_;
  std::unique_ptr<ClientChannel> channel_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_RPC_TEST_SUPPORT_H_
