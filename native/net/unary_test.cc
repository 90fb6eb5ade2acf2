#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

TEST(UnaryTest, AnswersWithTheHandlersMessage) {
  TestServer server;
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Echo", "hello");
  EXPECT_TRUE(call->status().ok()) << call->status().ToString();
  EXPECT_EQ(call->messages, std::vector<std::string>{"hello"});
}

TEST(UnaryTest, EmptyMessageIsAMessage) {
  TestServer server;
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Echo", "");
  EXPECT_TRUE(call->status().ok());
  EXPECT_EQ(call->messages, std::vector<std::string>{""});
}

TEST(UnaryTest, LargeMessagesGoBothWaysUnchanged) {
  TestServer server;
  TestClient client(server.Start());
  std::string large(8 << 20, '\0');
  for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + (i >> 13));
  const auto call = client.Call("/t.T/Echo", large);
  ASSERT_TRUE(call->status().ok()) << call->status().ToString();
  ASSERT_EQ(call->messages.size(), 1u);
  EXPECT_TRUE(call->messages[0] == large);
}

TEST(UnaryTest, FailureCarriesKindUnicodeMessageAndTrailers) {
  TestServer server;
  server.AddUnary("/t.T/Fail", [](UnaryCall call) {
    call.AddTrailer("retry-after", "7");
    call.AddTrailer("detail-bin", std::string("\x00\xff\x01", 3));
    call.Fail(InvalidArgument("tensor 'größe' 100% \n wrong"));
  });
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Fail", "x");
  EXPECT_EQ(call->status().kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(call->status().message(), "tensor 'größe' 100% \n wrong");
  EXPECT_EQ(call->result->trailers.Get("retry-after"), "7");
  EXPECT_EQ(call->result->trailers.Get("detail-bin"), std::string_view("\x00\xff\x01", 3));
  EXPECT_FALSE(call->result->unprocessed);
}

TEST(UnaryTest, EveryErrorKindSurvivesTheWire) {
  TestServer server;
  server.AddUnary("/t.T/Fail", [](UnaryCall call) {
    const int kind = std::stoi(std::string(call.request().view()));
    call.Fail(Status(static_cast<ErrorKind>(kind), "why"));
  });
  TestClient client(server.Start());
  for (int kind = 1; kind < kErrorKinds; ++kind) {
    const auto call = client.Call("/t.T/Fail", std::to_string(kind));
    EXPECT_EQ(static_cast<int>(call->status().kind()), kind);
    EXPECT_EQ(call->status().message(), "why");
  }
}

TEST(UnaryTest, HandlerSeesCallersMetadataButNotGrpcsOwn) {
  TestServer server;
  Metadata seen;
  std::string method, authority;
  bool inner = false;
  server.AddUnary("/t.T/Look", [&](UnaryCall call) {
    seen = *call.info().metadata;
    method = call.info().method;
    authority = call.info().authority;
    inner = call.info().inner;
    call.Respond(Bytes());
  });
  const Address address = server.Start();
  TestClient client(address);
  Metadata metadata;
  metadata.Add("traceparent", "00-1-2-01");
  metadata.Add("blob-bin", std::string("\xfe\x00", 2));
  metadata.Add("Illegal Name", "left out");
  CallOptions options;
  options.metadata = &metadata;
  options.deadline = client.Now() + 5 * kSecond;
  EXPECT_TRUE(client.Call("/t.T/Look", "", options)->status().ok());
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen.Get("traceparent"), "00-1-2-01");
  EXPECT_EQ(seen.Get("blob-bin"), std::string_view("\xfe\x00", 2));
  EXPECT_EQ(method, "/t.T/Look");
  EXPECT_EQ(authority, address.ToString());
  EXPECT_TRUE(inner);
}

TEST(UnaryTest, UnknownMethodIsUnimplementedByName) {
  TestServer server;
  TestClient client(server.Start());
  const auto call = client.Call("/no.Such/Method", "x");
  EXPECT_EQ(call->status().kind(), ErrorKind::kUnimplemented);
  EXPECT_NE(call->status().message().find("/no.Such/Method"), std::string::npos);
}

TEST(UnaryTest, FallbackServesWhatNobodyElseDoes) {
  TestServer server;
  server.server().SetFallback([](ServerStream& stream) -> std::unique_ptr<StreamHandler> {
    if (stream.info().method != "/py.P/Known") return nullptr;
    return std::make_unique<EchoStream>(stream);
  });
  TestClient client(server.Start());
  EXPECT_EQ(client.Call("/py.P/Known", "hi")->messages, std::vector<std::string>{"hi"});
  EXPECT_EQ(client.Call("/py.P/Other", "hi")->status().kind(), ErrorKind::kUnimplemented);
}

TEST(UnaryTest, AnswerFromAnotherThreadArrives) {
  TestServer server;
  std::vector<std::thread> threads;
  std::mutex mu;
  server.AddUnary("/t.T/Away", [&](UnaryCall call) {
    auto held = std::make_shared<UnaryCall>(std::move(call));
    std::lock_guard<std::mutex> lock(mu);
    threads.emplace_back([held] { held->Respond(Text("from afar")); });
  });
  TestClient client(server.Start());
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.Call("/t.T/Away", "")->messages, std::vector<std::string>{"from afar"});
  }
  std::lock_guard<std::mutex> lock(mu);
  for (std::thread& thread : threads) thread.join();
}

TEST(UnaryTest, DroppedCallIsAnsweredInternal) {
  TestServer server;
  server.AddUnary("/t.T/Drop", [](UnaryCall) {});
  TestClient client(server.Start());
  EXPECT_EQ(client.Call("/t.T/Drop", "x")->status().kind(), ErrorKind::kInternal);
}

TEST(UnaryTest, MessageOverTheServersLimitIsRefusedByNumbers) {
  ServerOptions options;
  options.max_message_bytes = 1000;
  TestServer server(options);
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Echo", std::string(1001, 'x'));
  EXPECT_EQ(call->status().kind(), ErrorKind::kResourceExhausted);
  EXPECT_NE(call->status().message().find("1001"), std::string::npos);
  EXPECT_NE(call->status().message().find("1000"), std::string::npos);
  EXPECT_TRUE(client.Call("/t.T/Echo", std::string(1000, 'x'))->status().ok());
}

TEST(UnaryTest, MessageOverTheClientsLimitEndsTheCallOnly) {
  TestServer server;
  ChannelOptions options;
  options.max_message_bytes = 1000;
  TestClient client(server.Start(), options);
  EXPECT_EQ(client.Call("/t.T/Echo", std::string(1001, 'x'))->status().kind(),
            ErrorKind::kResourceExhausted);
  EXPECT_TRUE(client.Call("/t.T/Echo", std::string(1000, 'x'))->status().ok());
}

TEST(UnaryTest, CompressedRequestIsAnsweredCompressed) {
  TestServer server;
  TestClient client(server.Start());
  const std::string text(500'000, 'a');
  CallOptions options;
  options.compress = true;
  const auto call = client.Call("/t.T/Echo", text, options);
  ASSERT_TRUE(call->status().ok()) << call->status().ToString();
  EXPECT_TRUE(call->messages.at(0) == text);
  const GrpcServer::Stats stats = server.server().stats();
  EXPECT_LT(stats.bytes_read, 20'000u);
  EXPECT_LT(stats.bytes_written, 20'000u);
}

TEST(UnaryTest, HandlerDecidesWhetherItsAnswerIsCompressed) {
  TestServer server;
  server.AddUnary("/t.T/Always", [](UnaryCall call) {
    call.SetCompression(true);
    call.Respond(Bytes(call.request()));
  });
  server.AddUnary("/t.T/Never", [](UnaryCall call) {
    call.SetCompression(false);
    call.Respond(Bytes(call.request()));
  });
  TestClient client(server.Start());
  const std::string text(500'000, 'a');
  CallOptions compressed;
  compressed.compress = true;
  EXPECT_TRUE(client.Call("/t.T/Always", text)->messages.at(0) == text);
  const uint64_t written = server.server().stats().bytes_written;
  EXPECT_LT(written, 20'000u);
  EXPECT_TRUE(client.Call("/t.T/Never", text, compressed)->messages.at(0) == text);
  // The server counts after it has written, which may be after the answer is here.
  EXPECT_TRUE(client.Until(
      [&] { return server.server().stats().bytes_written - written > text.size(); }));
}

TEST(UnaryTest, MessageThatDecompressesPastTheLimitIsRefused) {
  ServerOptions options;
  options.max_message_bytes = 10'000;
  TestServer server(options);
  TestClient client(server.Start());
  CallOptions compressed;
  compressed.compress = true;
  const auto call = client.Call("/t.T/Echo", std::string(1'000'000, 'a'), compressed);
  EXPECT_EQ(call->status().kind(), ErrorKind::kResourceExhausted);
  EXPECT_TRUE(client.Call("/t.T/Echo", std::string(10'000, 'a'), compressed)->status().ok());
}

TEST(UnaryTest, OversizedMetadataIsRefusedAndTheNextCallServed) {
  ServerOptions options;
  options.max_metadata_bytes = 2000;
  TestServer server(options);
  TestClient client(server.Start());
  Metadata metadata;
  metadata.Add("big", std::string(3000, 'x'));
  CallOptions call_options;
  call_options.metadata = &metadata;
  EXPECT_EQ(client.Call("/t.T/Echo", "", call_options)->status().kind(),
            ErrorKind::kResourceExhausted);
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
}

TEST(UnaryTest, OversizedMetadataOfAnAnswerEndsTheCallOnly) {
  TestServer server;
  server.AddUnary("/t.T/Big", [](UnaryCall call) {
    call.AddTrailer("big", std::string(3000, 'x'));
    call.Respond(Bytes());
  });
  ChannelOptions options;
  options.max_metadata_bytes = 2000;
  TestClient client(server.Start(), options);
  EXPECT_EQ(client.Call("/t.T/Big", "")->status().kind(), ErrorKind::kResourceExhausted);
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
}

TEST(UnaryTest, ManyCallsAtOnceOverSeveralLoopsAllGetTheirOwnAnswer) {
  TestServer server({}, 2);
  const Address address = server.Start();
  EventLoop loop;
  std::vector<std::unique_ptr<ClientChannel>> channels;
  for (int i = 0; i < 4; ++i) {
    channels.push_back(std::make_unique<ClientChannel>(loop, address, ChannelOptions()));
  }
  constexpr int kCalls = 3000;  // more than the streams that the peer allows at once
  std::vector<Recorder> calls(kCalls);
  int done = 0;
  for (int i = 0; i < kCalls; ++i) {
    calls[i].on_done = [&done] { ++done; };
    channels[i % 2]->StartUnary("/t.T/Echo", {}, Text(std::to_string(i)), &calls[i]);
  }
  const TimeNs end = SystemClock::Get().Now() + 20 * kSecond;
  while (done < kCalls && SystemClock::Get().Now() < end) loop.RunOnce(kMillisecond);
  ASSERT_EQ(done, kCalls);
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(calls[i].status().ok()) << calls[i].status().ToString();
    ASSERT_EQ(calls[i].messages, std::vector<std::string>{std::to_string(i)});
  }
  EXPECT_EQ(server.server().stats().calls_started, static_cast<uint64_t>(kCalls));
}

TEST(UnaryTest, UnixSocketIsPrivateAndRemovedAtTheEnd) {
  const std::string path = ::testing::TempDir() + "skysail-net-" + std::to_string(getpid());
  {
    TestServer server;
    TestClient client(server.Start("unix:" + path));
    struct stat info;
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
    EXPECT_EQ(client.Call("/t.T/Echo", "over unix")->messages.at(0), "over unix");

    LoopThreads loops(1);
    GrpcServer second(loops, {});
    EXPECT_FALSE(second.Listen(*Address::Parse("unix:" + path), true).ok()) << "in use";
  }
  struct stat info;
  EXPECT_NE(stat(path.c_str(), &info), 0);
}

}  // namespace
}  // namespace skysail::net
