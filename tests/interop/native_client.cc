// The interoperability cases with the native channel as the client: a test each, of the case's name.
//
// The peer is the environment variable INTEROP_ADDRESS. What passes compressed is seen by whoever
// counts the bytes between both.
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "messages.h"
#include "net/rpc_test_support.h"

namespace skysail::interop {
namespace {

using net::CallOptions;
using net::ClientStream;
using net::Metadata;
using net::Recorder;
using net::TestClient;
using net::Text;

constexpr char kEmptyCall[] = "/grpc.testing.TestService/EmptyCall";
constexpr char kUnaryCall[] = "/grpc.testing.TestService/UnaryCall";
constexpr char kCacheableUnaryCall[] = "/grpc.testing.TestService/CacheableUnaryCall";
constexpr char kStreamingInputCall[] = "/grpc.testing.TestService/StreamingInputCall";
constexpr char kStreamingOutputCall[] = "/grpc.testing.TestService/StreamingOutputCall";
constexpr char kFullDuplexCall[] = "/grpc.testing.TestService/FullDuplexCall";
constexpr char kUnimplementedCall[] = "/grpc.testing.TestService/UnimplementedCall";
constexpr char kUnimplementedService[] = "/grpc.testing.UnimplementedService/UnimplementedCall";

constexpr size_t kRequestBytes = 271828;
constexpr size_t kResponseBytes = 314159;
constexpr TimeNs kPatience = 60 * kSecond;
const std::vector<size_t> kRequestSizes = {27182, 8, 1828, 45904};
const std::vector<size_t> kResponseSizes = {31415, 9, 2653, 58979};

net::Address Peer() {
  const char* text = std::getenv("INTEROP_ADDRESS");
  return *net::Address::Parse(text != nullptr ? text : "INTEROP_ADDRESS is not set");
}

SimpleRequest LargeRequest() {
  SimpleRequest request;
  request.response_size = kResponseBytes;
  request.payload_size = kRequestBytes;
  return request;
}

StreamingOutputCallRequest OutputRequest(std::vector<ResponseParameters> wanted, size_t payload) {
  StreamingOutputCallRequest request;
  request.response_parameters = std::move(wanted);
  request.payload_size = payload;
  return request;
}

void ExpectZeros(std::string_view message, size_t size) {
  const Result<std::string> body = ParsePayload(message);
  ASSERT_TRUE(body.ok()) << body.status().ToString();
  EXPECT_TRUE(body.value() == std::string(size, '\0')) << body.value().size() << " bytes";
}

void ExpectLargeAnswer(const Recorder& call) {
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  ASSERT_EQ(call.messages.size(), 1u);
  ExpectZeros(call.messages[0], kResponseBytes);
}

class Interop : public ::testing::Test {
 protected:
  ClientStream* Start(std::string_view method, Recorder* call, CallOptions options = {}) {
    if (options.deadline == kNever) options.deadline = client.Now() + kPatience;
    return client.channel().Start(method, options, call);
  }
  std::unique_ptr<Recorder> Unary(std::string_view method, const std::string& request,
                                  CallOptions options = {}) {
    options.deadline = client.Now() + kPatience;
    return client.Call(method, request, options);
  }
  void Finish(Recorder& call) {
    ASSERT_TRUE(client.Until([&call] { return call.done(); }, kPatience));
  }
  // The connection serves on after what was done to one of its calls.
  void ExpectStillServing() { EXPECT_TRUE(Unary(kEmptyCall, "")->status().ok()); }

  TestClient client{Peer()};
};

TEST_F(Interop, empty_unary) {
  const auto call = Unary(kEmptyCall, "");
  ASSERT_TRUE(call->status().ok()) << call->status().ToString();
  EXPECT_EQ(call->messages, std::vector<std::string>{""});
}

// As POST: the protocol has no other verb any more.
TEST_F(Interop, cacheable_unary) {
  Metadata metadata;
  metadata.Add("x-user-ip", "1.2.3.4");
  CallOptions options;
  options.metadata = &metadata;
  for (int i = 0; i < 2; ++i) {
    SimpleRequest request;
    request.payload_size = 19;
    const auto call = Unary(kCacheableUnaryCall, Encode(request), options);
    ASSERT_TRUE(call->status().ok()) << call->status().ToString();
    EXPECT_NE(call->initial.Get("cache-control").find("max-age=60"), std::string_view::npos);
    EXPECT_FALSE(ParsePayload(call->messages.at(0))->empty());
  }
}

TEST_F(Interop, large_unary) {
  ExpectLargeAnswer(*Unary(kUnaryCall, Encode(LargeRequest())));
}

TEST_F(Interop, client_compressed_unary) {
  for (const bool compressed : {true, false}) {
    SimpleRequest request = LargeRequest();
    request.expect_compressed = compressed;
    request.response_compressed = false;
    CallOptions options;
    options.compress = compressed;
    ExpectLargeAnswer(*Unary(kUnaryCall, Encode(request), options));
  }
}

TEST_F(Interop, server_compressed_unary) {
  for (const bool compressed : {true, false}) {
    SimpleRequest request = LargeRequest();
    request.response_compressed = compressed;
    ExpectLargeAnswer(*Unary(kUnaryCall, Encode(request)));
  }
}

TEST_F(Interop, client_streaming) {
  Recorder call;
  ClientStream* stream = Start(kStreamingInputCall, &call);
  for (const size_t size : kRequestSizes) {
    stream->Send(Text(Encode(StreamingInputCallRequest{size, {}})));
  }
  stream->HalfClose();
  Finish(call);
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  EXPECT_EQ(*ParseAggregatedSize(call.messages.at(0)), 74922u);
}

TEST_F(Interop, client_compressed_streaming) {
  Recorder call;
  CallOptions options;
  options.compress = true;
  ClientStream* stream = Start(kStreamingInputCall, &call, options);
  stream->Send(Text(Encode(StreamingInputCallRequest{27182, true})));
  stream->Send(Text(Encode(StreamingInputCallRequest{45904, false})), true);
  stream->HalfClose();
  Finish(call);
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  EXPECT_EQ(*ParseAggregatedSize(call.messages.at(0)), 73086u);
}

TEST_F(Interop, server_streaming) {
  Recorder call;
  std::vector<ResponseParameters> wanted;
  for (const size_t size : kResponseSizes) wanted.push_back({size, {}});
  ClientStream* stream = Start(kStreamingOutputCall, &call);
  stream->Send(Text(Encode(OutputRequest(wanted, 0))));
  stream->HalfClose();
  Finish(call);
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  ASSERT_EQ(call.messages.size(), kResponseSizes.size());
  for (size_t i = 0; i < kResponseSizes.size(); ++i) {
    ExpectZeros(call.messages[i], kResponseSizes[i]);
  }
}

TEST_F(Interop, server_compressed_streaming) {
  Recorder call;
  ClientStream* stream = Start(kStreamingOutputCall, &call);
  stream->Send(Text(Encode(OutputRequest({{31415, true}, {92653, false}}, 0))));
  stream->HalfClose();
  Finish(call);
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  ASSERT_EQ(call.messages.size(), 2u);
  ExpectZeros(call.messages[0], 31415);
  ExpectZeros(call.messages[1], 92653);
}

TEST_F(Interop, ping_pong) {
  Recorder call;
  ClientStream* stream = Start(kFullDuplexCall, &call);
  const auto ping = [&] {
    const size_t turn = call.messages.size();
    if (turn == kRequestSizes.size()) return stream->HalfClose();
    stream->Send(Text(Encode(OutputRequest({{kResponseSizes[turn], {}}}, kRequestSizes[turn]))));
  };
  call.on_message = ping;
  ping();
  Finish(call);
  ASSERT_TRUE(call.status().ok()) << call.status().ToString();
  ASSERT_EQ(call.messages.size(), kResponseSizes.size());
  for (size_t i = 0; i < kResponseSizes.size(); ++i) {
    ExpectZeros(call.messages[i], kResponseSizes[i]);
  }
}

TEST_F(Interop, empty_stream) {
  Recorder call;
  Start(kFullDuplexCall, &call)->HalfClose();
  Finish(call);
  EXPECT_TRUE(call.status().ok()) << call.status().ToString();
  EXPECT_TRUE(call.messages.empty());
}

TEST_F(Interop, custom_metadata) {
  const std::string initial = "test_initial_metadata_value";
  const std::string trailing = "\xab\xab\xab";
  Metadata metadata;
  metadata.Add(kInitialKey, initial);
  metadata.Add(kTrailingKey, trailing);
  CallOptions options;
  options.metadata = &metadata;
  const auto unary = Unary(kUnaryCall, Encode(LargeRequest()), options);
  ExpectLargeAnswer(*unary);
  Recorder duplex;
  ClientStream* stream = Start(kFullDuplexCall, &duplex, options);
  stream->Send(Text(Encode(OutputRequest({{kResponseBytes, {}}}, kRequestBytes))));
  stream->HalfClose();
  Finish(duplex);
  ExpectLargeAnswer(duplex);
  for (const Recorder* call : {unary.get(), &duplex}) {
    EXPECT_EQ(call->initial.Get(kInitialKey), initial);
    EXPECT_EQ(call->result->trailers.Get(kTrailingKey), trailing);
  }
}

class InteropStatus : public Interop {
 protected:
  void ExpectEchoed(const std::string& message, bool duplex) {
    SimpleRequest request;
    request.response_status = EchoStatus{2, message};
    const auto unary = Unary(kUnaryCall, Encode(request));
    EXPECT_EQ(unary->status().kind(), ErrorKind::kUnknown);
    EXPECT_EQ(unary->status().message(), message);
    if (!duplex) return;
    StreamingOutputCallRequest asked;
    asked.response_status = request.response_status;
    Recorder call;
    ClientStream* stream = Start(kFullDuplexCall, &call);
    stream->Send(Text(Encode(asked)));
    stream->HalfClose();
    Finish(call);
    EXPECT_EQ(call.status().kind(), ErrorKind::kUnknown);
    EXPECT_EQ(call.status().message(), message);
  }
};

TEST_F(InteropStatus, status_code_and_message) { ExpectEchoed("test status message", true); }

TEST_F(InteropStatus, special_status_message) {
  ExpectEchoed("\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n",
               false);
}

TEST_F(Interop, unimplemented_method) {
  EXPECT_EQ(Unary(kUnimplementedCall, "")->status().kind(), ErrorKind::kUnimplemented);
}

TEST_F(Interop, unimplemented_service) {
  EXPECT_EQ(Unary(kUnimplementedService, "")->status().kind(), ErrorKind::kUnimplemented);
}

TEST_F(Interop, cancel_after_begin) {
  ExpectStillServing();  // connected: the headers leave with the next turn
  Recorder call;
  ClientStream* stream = Start(kStreamingInputCall, &call);
  client.loop().RunOnce(kMillisecond);
  stream->Cancel();
  Finish(call);
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
  ExpectStillServing();
}

TEST_F(Interop, cancel_after_first_response) {
  Recorder call;
  ClientStream* stream = Start(kFullDuplexCall, &call);
  stream->Send(Text(Encode(OutputRequest({{31415, {}}}, 27182))));
  ASSERT_TRUE(client.Until([&call] { return !call.messages.empty(); }, kPatience));
  stream->Cancel();
  Finish(call);
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
  ExpectZeros(call.messages.at(0), 31415);
  ExpectStillServing();
}

TEST_F(Interop, timeout_on_sleeping_server) {
  ExpectStillServing();
  Recorder call;
  CallOptions options;
  options.deadline = client.Now() + kMillisecond;
  ClientStream* stream = Start(kFullDuplexCall, &call, options);
  stream->Send(Text(Encode(OutputRequest({}, 27182))));
  Finish(call);
  EXPECT_EQ(call.status().kind(), ErrorKind::kDeadlineExceeded);
  ExpectStillServing();
}

TEST_F(Interop, concurrent_large_unary) {
  const std::string request = Encode(LargeRequest());
  std::vector<Recorder> calls(1000);
  CallOptions options;
  options.deadline = client.Now() + kPatience;
  for (Recorder& call : calls) {
    client.channel().StartUnary(kUnaryCall, options, Text(request), &call);
  }
  for (Recorder& call : calls) {
    Finish(call);
    ExpectLargeAnswer(call);
  }
}

TEST_F(Interop, rpc_soak) {
  const std::string request = Encode(LargeRequest());
  for (int i = 0; i < 200; ++i) ExpectLargeAnswer(*Unary(kUnaryCall, request));
}

TEST_F(Interop, channel_soak) {
  const std::string request = Encode(LargeRequest());
  for (int i = 0; i < 100; ++i) {
    TestClient fresh{Peer()};
    ExpectLargeAnswer(*fresh.Call(kUnaryCall, request));
  }
}

}  // namespace
}  // namespace skysail::interop
