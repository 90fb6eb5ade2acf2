// The service of the interoperability cases with native handlers.
//
//   interop_server [streams]
//
// Listens on any port of 127.0.0.1, prints the address, and serves until its standard input ends. With
// "streams", UnaryCall is served as a stream of one message each way, which may send metadata ahead
// of the answer; without it by a unary handler, which may not.
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages.h"
#include "net/grpc_server.h"
#include "net/status_codes.h"

namespace skysail::interop {
namespace {

Slice Zeros(size_t size) { return Slice::Copy(EncodePayload(std::string(size, '\0'))); }

Status StatusOf(const EchoStatus& status) {
  return {net::KindOfGrpcCode(status.code), status.message};
}

// The pair `key` of what the caller sent, when it sent one.
net::Metadata Echo(const net::CallInfo& info, std::string_view key) {
  net::Metadata echo;
  const std::string_view value = info.metadata->Get(key);
  if (value.data() != nullptr) echo.Add(std::string(key), std::string(value));
  return echo;
}

class Unary final : public net::UnaryHandler {
 public:
  explicit Unary(std::function<void(net::UnaryCall)> handle) : handle_(std::move(handle)) {}
  void Handle(net::UnaryCall call) override { handle_(std::move(call)); }

 private:
  const std::function<void(net::UnaryCall)> handle_;
};

void EmptyCall(net::UnaryCall call) { call.Respond(Bytes()); }

void UnaryCall(net::UnaryCall call) {
  const Result<SimpleRequest> request = ParseSimpleRequest(call.request().view());
  if (!request.ok()) return call.Fail(request.status());
  const auto& status = request.value().response_status;
  if (status && status->code != 0) return call.Fail(StatusOf(*status));
  if (request.value().response_compressed) {
    call.SetCompression(*request.value().response_compressed);
  }
  call.Respond(Zeros(request.value().response_size));
}

// What the streaming methods have in common: the caller's metadata goes back, and nothing is said
// after the call has been finished.
class Streaming : public net::StreamHandler {
 public:
  explicit Streaming(net::ServerStream& stream) : stream_(stream) {}
  void OnDone(bool) override {}

 protected:
  net::ServerStream& stream() { return stream_; }
  void Begin() {
    if (std::exchange(begun_, true)) return;
    net::Metadata echo = Echo(stream_.info(), kInitialKey);
    if (!echo.empty()) stream_.SendInitialMetadata(std::move(echo));
  }
  void Finish(const Status& status) {
    if (std::exchange(finished_, true)) return;
    stream_.Finish(status, Echo(stream_.info(), kTrailingKey));
  }
  bool finished() const { return finished_; }

 private:
  net::ServerStream& stream_;
  bool begun_ = false;
  bool finished_ = false;
};

class UnaryAsStream final : public Streaming {
 public:
  using Streaming::Streaming;
  void OnMessage(Slice message) override {
    const Result<SimpleRequest> request = ParseSimpleRequest(message.view());
    if (!request.ok()) return Finish(request.status());
    const auto& status = request.value().response_status;
    if (status && status->code != 0) return Finish(StatusOf(*status));
    if (request.value().response_compressed) {
      stream().SetCompression(*request.value().response_compressed);
    }
    Begin();
    stream().Send(Zeros(request.value().response_size));
  }
  void OnHalfClose() override { Finish(Status::Ok()); }
};

// The time, which callers may keep for a minute.
class CacheableUnary final : public Streaming {
 public:
  using Streaming::Streaming;
  void OnMessage(Slice) override {
    net::Metadata metadata;
    metadata.Add("cache-control", "max-age=60, public");
    stream().SendInitialMetadata(std::move(metadata));
    stream().Send(Slice::Copy(EncodePayload(std::to_string(SystemClock::Get().Now()))));
  }
  void OnHalfClose() override { Finish(Status::Ok()); }
};

class StreamingInput final : public Streaming {
 public:
  using Streaming::Streaming;
  void OnMessage(Slice message) override {
    const Result<StreamingInputCallRequest> request =
        ParseStreamingInputCallRequest(message.view());
    if (!request.ok()) return Finish(request.status());
    size_ += request.value().payload_size;
  }
  void OnHalfClose() override {
    if (finished()) return;
    stream().Send(Slice::Copy(EncodeAggregatedSize(size_)));
    Finish(Status::Ok());
  }

 private:
  size_t size_ = 0;
};

// StreamingOutputCall and FullDuplexCall: answers each message with what it asks for.
class StreamingOutput final : public Streaming {
 public:
  using Streaming::Streaming;
  void OnMessage(Slice message) override {
    if (finished()) return;
    const Result<StreamingOutputCallRequest> request =
        ParseStreamingOutputCallRequest(message.view());
    if (!request.ok()) return Finish(request.status());
    const auto& status = request.value().response_status;
    if (status && status->code != 0) return Finish(StatusOf(*status));
    const std::vector<ResponseParameters>& wanted = request.value().response_parameters;
    for (const ResponseParameters& one : wanted) {
      if (one.compressed.value_or(false)) stream().SetCompression(true);
    }
    Begin();
    for (const ResponseParameters& one : wanted) {
      stream().Send(Zeros(one.size), !one.compressed.value_or(true));
    }
  }
  void OnHalfClose() override { Finish(Status::Ok()); }
};

template <typename Handler>
net::StreamFactory Factory() {
  return [](net::ServerStream& stream) { return std::make_unique<Handler>(stream); };
}

int Serve(bool unary_as_stream) {
  net::LoopThreads loops(2);
  Unary empty_call(EmptyCall), unary_call(UnaryCall);
  net::GrpcServer server(loops, {});
  const std::string service = kService;
  server.AddUnary(service + "EmptyCall", &empty_call);
  if (unary_as_stream) {
    server.AddStream(service + "UnaryCall", Factory<UnaryAsStream>());
  } else {
    server.AddUnary(service + "UnaryCall", &unary_call);
  }
  server.AddStream(service + "CacheableUnaryCall", Factory<CacheableUnary>());
  server.AddStream(service + "StreamingInputCall", Factory<StreamingInput>());
  server.AddStream(service + "StreamingOutputCall", Factory<StreamingOutput>());
  server.AddStream(service + "FullDuplexCall", Factory<StreamingOutput>());
  const Result<net::Address> bound = server.Listen(*net::Address::Parse("127.0.0.1:0"), false);
  if (!bound.ok()) {
    std::fprintf(stderr, "%s\n", bound.status().ToString().c_str());
    return 1;
  }
  server.Start();
  loops.Start();
  std::printf("%s\n", bound.value().ToString().c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.Shutdown();
  loops.Stop();
  return 0;
}

}  // namespace
}  // namespace skysail::interop

int main(int argc, char** argv) {
  return skysail::interop::Serve(argc > 1 && std::string_view(argv[1]) == "streams");
}
