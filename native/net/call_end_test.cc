// How calls end before their answer: deadlines and cancels, from either side.
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

// Keeps the calls that it gets; remembers which callers left.
class Holder final : public UnaryHandler {
 public:
  struct Held final : CancelListener {
    explicit Held(UnaryCall held_call) : call(std::move(held_call)) {}
    void OnCancel() override { ++cancels; }
    UnaryCall call;
    std::atomic<int> cancels{0};
  };
  void Handle(UnaryCall call) override {
    auto one = std::make_unique<Held>(std::move(call));
    one->call.SetCancelListener(one.get());
    std::lock_guard<std::mutex> lock(mu_);
    held_.push_back(std::move(one));
  }
  size_t size() {
    std::lock_guard<std::mutex> lock(mu_);
    return held_.size();
  }
  Held& at(size_t i) {
    std::lock_guard<std::mutex> lock(mu_);
    return *held_[i];
  }
  void Drop() {
    std::lock_guard<std::mutex> lock(mu_);
    held_.clear();
  }

 private:
  std::mutex mu_;
  std::vector<std::unique_ptr<Held>> held_;
};

class CallEndTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    server = std::make_unique<TestServer>(options);
    server->server().AddUnary("/t.T/Hold", &holder);
    address = server->Start();
    client = std::make_unique<TestClient>(address);
  }
  void TearDown() override {
    client.reset();
    server->Stop();
    holder.Drop();  // calls are given back before their loops go
  }
  bool HeldCalls(size_t n) {
    return client->Until([&] { return holder.size() == n; });
  }

  Holder holder;
  std::unique_ptr<TestServer> server;
  Address address;
  std::unique_ptr<TestClient> client;
};

TEST_F(CallEndTest, CallerLearnsOfItsDeadlineAndTheHandlerToo) {
  Start();
  CallOptions options;
  const TimeNs began = client->Now();
  options.deadline = began + 60 * kMillisecond;
  const auto call = client->Call("/t.T/Hold", "x", options);
  EXPECT_EQ(call->status().kind(), ErrorKind::kDeadlineExceeded);
  EXPECT_GE(client->Now(), options.deadline);
  EXPECT_LT(client->Now() - began, 5 * kSecond);
  ASSERT_TRUE(client->Until([&] { return holder.at(0).cancels == 1; }));
  holder.at(0).call.Respond(Text("too late"));  // harmless
  EXPECT_TRUE(client->Call("/t.T/Echo", "next")->status().ok());
}

TEST_F(CallEndTest, ServerEnforcesTheDeadlineByItself) {
  Start();
  // Stated in metadata, so that the client's own timer plays no part.
  Metadata metadata;
  metadata.Add("grpc-timeout", "50m");
  CallOptions options;
  options.metadata = &metadata;
  const auto call = client->Call("/t.T/Hold", "x", options);
  EXPECT_EQ(call->status().kind(), ErrorKind::kDeadlineExceeded);
  ASSERT_TRUE(client->Until([&] { return holder.at(0).cancels == 1; }));
  holder.at(0).call.Fail(Internal("ignored"));
}

TEST_F(CallEndTest, MalformedTimeoutIsInvalidArgument) {
  Start();
  Metadata metadata;
  metadata.Add("grpc-timeout", "soon");
  CallOptions options;
  options.metadata = &metadata;
  EXPECT_EQ(client->Call("/t.T/Echo", "x", options)->status().kind(),
            ErrorKind::kInvalidArgument);
}

TEST_F(CallEndTest, PassedDeadlineFailsUnsentAndUnprocessed) {
  Start();
  CallOptions options;
  options.deadline = client->Now() - kSecond;
  const auto call = client->Call("/t.T/Echo", "x", options);
  EXPECT_EQ(call->status().kind(), ErrorKind::kDeadlineExceeded);
  EXPECT_TRUE(call->result->unprocessed);
  EXPECT_EQ(server->server().stats().calls_started, 0u);
}

TEST_F(CallEndTest, HandlerSeesTheDeadlineThatTheCallerSet) {
  Start();
  CallOptions options;
  options.deadline = client->Now() + 3 * kSecond;
  Recorder call;
  client->channel().StartUnary("/t.T/Hold", options, Text("x"), &call);
  ASSERT_TRUE(HeldCalls(1));
  const TimeNs seen = holder.at(0).call.info().deadline;
  EXPECT_NEAR(static_cast<double>(seen), static_cast<double>(options.deadline), 1e9);
  holder.at(0).call.Respond(Bytes());
  ASSERT_TRUE(client->Finish(call));
  EXPECT_TRUE(call.status().ok());
}

TEST_F(CallEndTest, CancelEndsTheCallAtOnceAndTellsTheServer) {
  Start();
  Recorder call;
  ClientStream* stream = client->channel().StartUnary("/t.T/Hold", {}, Text("x"), &call);
  ASSERT_TRUE(HeldCalls(1));
  stream->Cancel();
  ASSERT_TRUE(call.done());
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
  ASSERT_TRUE(client->Until([&] { return holder.at(0).cancels == 1; }));
  holder.at(0).call.Respond(Text("nobody listens"));
  EXPECT_TRUE(client->Call("/t.T/Echo", "next")->status().ok());
  EXPECT_EQ(server->server().stats().calls_cancelled, 1u);
  EXPECT_EQ(holder.at(0).cancels, 1);
}

TEST_F(CallEndTest, CancelBeforeAnythingWasSentIsHarmless) {
  Start();
  Recorder call;
  client->channel().StartUnary("/t.T/Echo", {}, Text("x"), &call)->Cancel();
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
  EXPECT_TRUE(client->Call("/t.T/Echo", "next")->status().ok());
}

TEST_F(CallEndTest, CancelFromInsideAMessageIsSafe) {
  Start();
  Recorder call;
  ClientStream* stream = client->channel().Start("/t.T/EchoStream", {}, &call);
  call.on_message = [&] { stream->Cancel(); };
  for (int i = 0; i < 10; ++i) stream->Send(Text("m"));
  ASSERT_TRUE(client->Finish(call));
  EXPECT_EQ(call.messages.size(), 1u);
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
}

TEST_F(CallEndTest, ChannelMayBeDestroyedFromInsideAHandler) {
  Start();
  Recorder first, second;
  client->channel().StartUnary("/t.T/Hold", {}, Text("x"), &second);
  client->channel().StartUnary("/t.T/Echo", {}, Text("x"), &first);
  first.on_message = [&] { client->DropChannel(); };
  ASSERT_TRUE(client->Until([&] { return first.done() && second.done(); }));
  EXPECT_EQ(first.status().kind(), ErrorKind::kCancelled);
  EXPECT_EQ(second.status().kind(), ErrorKind::kCancelled);
  ASSERT_TRUE(client->Until([&] { return server->server().stats().connections_open == 0; }));
}

TEST_F(CallEndTest, ConnectionLostTellsBothSidesAndAHeldCallStaysValid) {
  Start();
  Recorder call;
  client->channel().StartUnary("/t.T/Hold", {}, Text("kept"), &call);
  ASSERT_TRUE(HeldCalls(1));
  client->DropChannel();
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
  ASSERT_TRUE(client->Until([&] { return holder.at(0).cancels == 1; }));
  Holder::Held& held = holder.at(0);
  std::atomic<bool> looked{false};
  server->loops().loop(0).Post([&] {  // the call's own thread
    EXPECT_EQ(held.call.request().view(), "kept");
    EXPECT_EQ(held.call.info().method, "/t.T/Hold");
    EXPECT_EQ(held.call.info().peer.substr(0, 15), "ipv4:127.0.0.1:");
    EXPECT_EQ(held.call.info().authority, address.ToString());
    looked = true;
  });
  ASSERT_TRUE(client->Until([&] { return looked.load(); }));
  held.call.Respond(Text("nobody there"));
}

TEST_F(CallEndTest, CallsHeldPastTheServersEndAreReleased) {
  ServerOptions options;
  options.drain_timeout = 20 * kMillisecond;
  Start(options);
  Recorder call;
  client->channel().StartUnary("/t.T/Hold", {}, Text("x"), &call);
  ASSERT_TRUE(HeldCalls(1));
  server->server().Shutdown();
  EXPECT_EQ(holder.at(0).cancels, 1);
  holder.at(0).call.Respond(Text("after the end"));
  ASSERT_TRUE(client->Finish(call));
  EXPECT_EQ(call.status().kind(), ErrorKind::kUnavailable);
  EXPECT_FALSE(call.result->unprocessed);
}

TEST_F(CallEndTest, StreamHandlerLearnsThatItsCallerLeft) {
  class Watcher final : public StreamHandler {
   public:
    explicit Watcher(std::atomic<int>* cancelled) : cancelled_(cancelled) {}
    void OnMessage(Slice) override {}
    void OnDone(bool cancelled) override { *cancelled_ = cancelled ? 1 : 0; }

   private:
    std::atomic<int>* const cancelled_;
  };
  std::atomic<int> cancelled{-1};
  server = std::make_unique<TestServer>();
  server->server().AddStream("/t.T/Watch", [&](ServerStream&) {
    return std::make_unique<Watcher>(&cancelled);
  });
  TestClient one(server->Start());
  Recorder call;
  ClientStream* stream = one.channel().Start("/t.T/Watch", {}, &call);
  stream->Send(Text("x"));
  ASSERT_TRUE(one.Until([&] { return server->server().stats().calls_open == 1; }));
  stream->Cancel();
  ASSERT_TRUE(one.Until([&] { return cancelled == 1; }));
}

TEST_F(CallEndTest, EqualDeadlinesOfManyCallsAllFire) {
  Start();
  constexpr int kCalls = 500;
  std::vector<Recorder> calls(kCalls);
  int done = 0;
  CallOptions options;
  options.deadline = client->Now() + 50 * kMillisecond;
  for (Recorder& call : calls) {
    call.on_done = [&done] { ++done; };
    client->channel().StartUnary("/t.T/Hold", options, Text("x"), &call);
  }
  ASSERT_TRUE(client->Until([&] { return done == kCalls; }));
  for (Recorder& call : calls) EXPECT_EQ(call.status().kind(), ErrorKind::kDeadlineExceeded);
  EXPECT_TRUE(client->Call("/t.T/Echo", "still here")->status().ok());
}

}  // namespace
}  // namespace skysail::net
