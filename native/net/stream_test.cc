#include <gmock/gmock.h>

#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

using ::testing::ElementsAre;

// Answers each request with as many messages as it says.
class CountingStream final : public StreamHandler {
 public:
  explicit CountingStream(ServerStream& stream) : stream_(stream) {}
  void OnMessage(Slice message) override {
    const int n = std::stoi(std::string(message.view()));
    for (int i = 0; i < n; ++i) stream_.Send(Text(std::to_string(i)));
  }
  void OnHalfClose() override {
    Metadata trailers;
    trailers.Add("counted", "yes");
    stream_.Finish(Status::Ok(), std::move(trailers));
  }
  void OnDone(bool) override {}

 private:
  ServerStream& stream_;
};

TEST(StreamTest, BidirectionalMessagesKeepTheirOrder) {
  TestServer server;
  TestClient client(server.Start());
  Recorder call;
  ClientStream* stream = client.channel().Start("/t.T/EchoStream", {}, &call);
  for (int i = 0; i < 1000; ++i) stream->Send(Text(std::to_string(i)));
  ASSERT_TRUE(client.Until([&] { return call.messages.size() == 1000; }));
  EXPECT_FALSE(call.done());
  stream->Send(Text("last"));
  stream->HalfClose();
  ASSERT_TRUE(client.Finish(call));
  EXPECT_TRUE(call.status().ok()) << call.status().ToString();
  ASSERT_EQ(call.messages.size(), 1001u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(call.messages[i], std::to_string(i));
  EXPECT_EQ(call.messages.back(), "last");
  EXPECT_GT(call.writable, 0);
}

TEST(StreamTest, ServerStreamingSendsTrailersAfterTheLastMessage) {
  TestServer server;
  server.server().AddStream("/t.T/Count", [](ServerStream& stream) {
    return std::make_unique<CountingStream>(stream);
  });
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Count", "3");
  EXPECT_TRUE(call->status().ok());
  EXPECT_THAT(call->messages, ElementsAre("0", "1", "2"));
  EXPECT_EQ(call->result->trailers.Get("counted"), "yes");
}

TEST(StreamTest, SmallMessagesOfOneTurnShareFrames) {
  TestServer server;
  server.server().AddStream("/t.T/Count", [](ServerStream& stream) {
    return std::make_unique<CountingStream>(stream);
  });
  TestClient client(server.Start());
  const auto call = client.Call("/t.T/Count", "1000");
  EXPECT_EQ(call->messages.size(), 1000u);
  // 5 bytes of prefix and at most 3 of text each; a frame header per message would add 9,000.
  EXPECT_LT(server.server().stats().bytes_written, 9000u);
}

TEST(StreamTest, InitialMetadataComesBeforeAnyMessage) {
  class Greeter final : public StreamHandler {
   public:
    explicit Greeter(ServerStream& stream) : stream_(stream) {
      Metadata metadata;
      metadata.Add("greeting", "hello");
      stream_.SendInitialMetadata(std::move(metadata));
    }
    void OnMessage(Slice message) override { stream_.Send(std::move(message)); }
    void OnHalfClose() override {
      Metadata trailers;
      trailers.Add("farewell-bin", "\x01\x02");
      stream_.Finish(Status(ErrorKind::kAborted, "enough"), std::move(trailers));
    }
    void OnDone(bool) override {}

   private:
    ServerStream& stream_;
  };
  TestServer server;
  server.server().AddStream(
      "/t.T/Greet", [](ServerStream& stream) { return std::make_unique<Greeter>(stream); });
  TestClient client(server.Start());
  Recorder call;
  ClientStream* stream = client.channel().Start("/t.T/Greet", {}, &call);
  ASSERT_TRUE(client.Until([&] { return !call.initial.empty(); }));
  EXPECT_EQ(call.initial.Get("greeting"), "hello");
  EXPECT_TRUE(call.messages.empty());
  stream->Send(Text("m"));
  stream->HalfClose();
  ASSERT_TRUE(client.Finish(call));
  EXPECT_THAT(call.messages, ElementsAre("m"));
  EXPECT_EQ(call.status().kind(), ErrorKind::kAborted);
  EXPECT_EQ(call.result->trailers.Get("farewell-bin"), "\x01\x02");
}

TEST(StreamTest, ServerMayFinishBeforeTheCallerIsDone) {
  class Refuser final : public StreamHandler {
   public:
    explicit Refuser(ServerStream& stream) : stream_(stream) {}
    void OnMessage(Slice) override {
      stream_.Finish(Status(ErrorKind::kFailedPrecondition, "not now"));
    }
    void OnDone(bool cancelled) override { EXPECT_FALSE(cancelled); }

   private:
    ServerStream& stream_;
  };
  TestServer server;
  server.server().AddStream(
      "/t.T/Refuse", [](ServerStream& stream) { return std::make_unique<Refuser>(stream); });
  TestClient client(server.Start());
  Recorder call;
  client.channel().Start("/t.T/Refuse", {}, &call)->Send(Text("one"));
  ASSERT_TRUE(client.Finish(call));
  EXPECT_EQ(call.status().kind(), ErrorKind::kFailedPrecondition);
  EXPECT_TRUE(client.Call("/t.T/Echo", "next")->status().ok());
}

// Sends without end, as fast as the peer takes it, and never holds much.
class Firehose final : public StreamHandler {
 public:
  Firehose(ServerStream& stream, std::atomic<size_t>* sent) : stream_(stream), sent_(sent) {
    Pump();
  }
  void OnMessage(Slice) override {}
  void OnWritable() override { Pump(); }
  void OnDone(bool) override {}

 private:
  void Pump() {
    while (stream_.unsent_bytes() < 256 << 10) {
      stream_.Send(Slice::Copy(std::string(64 << 10, 'f')));
      *sent_ += 64 << 10;
    }
  }
  ServerStream& stream_;
  std::atomic<size_t>* const sent_;
};

TEST(StreamTest, PausedReaderStopsTheSenderAndBoundsMemory) {
  std::atomic<size_t> sent{0};
  TestServer server;
  server.server().AddStream("/t.T/Fire", [&sent](ServerStream& stream) {
    return std::make_unique<Firehose>(stream, &sent);
  });
  TestClient client(server.Start());
  Recorder call;
  ClientStream* stream = client.channel().Start("/t.T/Fire", {}, &call);
  stream->PauseReading();
  // Another call on the same connection goes on while this one stands still.
  size_t before;
  do {
    before = sent;
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  } while (sent != before);
  EXPECT_EQ(call.bytes, 0u);
  EXPECT_LT(sent, size_t{2} << 20);  // the window of 1 MiB and what the handler holds

  stream->ResumeReading();
  ASSERT_TRUE(client.Until([&] { return call.bytes > size_t{8} << 20; }));
  stream->Cancel();
  EXPECT_EQ(call.status().kind(), ErrorKind::kCancelled);
}

TEST(StreamTest, PausedServerStreamStopsTheCaller) {
  class Sleeper final : public StreamHandler {
   public:
    Sleeper(ServerStream& stream, ServerStream** out) : stream_(stream) {
      stream_.PauseReading();
      *out = &stream_;
    }
    void OnMessage(Slice message) override { received_ += message.size(); }
    void OnHalfClose() override {
      stream_.Send(Text(std::to_string(received_)));
      stream_.Finish(Status::Ok());
    }
    void OnDone(bool) override {}

   private:
    ServerStream& stream_;
    size_t received_ = 0;
  };
  TestServer server;
  ServerStream* sleeping = nullptr;
  server.server().AddStream("/t.T/Sleep", [&](ServerStream& stream) {
    return std::make_unique<Sleeper>(stream, &sleeping);
  });
  TestClient client(server.Start());
  Recorder call;
  ClientStream* stream = client.channel().Start("/t.T/Sleep", {}, &call);
  for (int i = 0; i < 64; ++i) stream->Send(Slice::Copy(std::string(64 << 10, 'z')));
  stream->HalfClose();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  EXPECT_GT(stream->unsent_bytes(), size_t{2} << 20);
  server.loops().loop(0).Post([&] { sleeping->ResumeReading(); });
  ASSERT_TRUE(client.Finish(call));
  EXPECT_THAT(call.messages, ElementsAre(std::to_string(64 * (64 << 10))));
}

TEST(StreamTest, MessagesThatWaitForAPausedReaderOutliveTheStream) {
  TestServer server;
  server.server().AddStream("/t.T/Count", [](ServerStream& stream) {
    return std::make_unique<CountingStream>(stream);
  });
  TestClient client(server.Start());
  Recorder call;
  ClientStream* stream = client.channel().StartUnary("/t.T/Count", {}, Text("5"), &call);
  stream->PauseReading();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  EXPECT_TRUE(call.messages.empty());
  EXPECT_FALSE(call.done());
  call.on_message = [&] {
    if (call.messages.size() == 2) stream->PauseReading();
  };
  stream->ResumeReading();
  EXPECT_EQ(call.messages.size(), 2u);
  stream->ResumeReading();
  EXPECT_THAT(call.messages, ElementsAre("0", "1", "2", "3", "4"));
  ASSERT_TRUE(call.done());
  EXPECT_TRUE(call.status().ok());
}

}  // namespace
}  // namespace skysail::net
