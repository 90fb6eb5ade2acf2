// Peers that take their time: each is bounded, alone, and counted. Every test waits for what must come, however long that
// takes, and none for what must not.
#include <atomic>
#include <functional>

#include "net/channel_counters.h"
#include "net/gzip.h"
#include "net/raw_peer_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

constexpr TimeNs kShort = 60 * kMillisecond;

class SlowPeerTest : public ::testing::Test {
 protected:
  void Start(const ServerOptions& options) {
    server_ = std::make_unique<TestServer>(options);
    server_->AddUnary("/t.T/Hold", [this](UnaryCall call) {
      std::lock_guard<std::mutex> lock(mu_);
      held_.push_back(std::move(call));
    });
    address_ = server_->Start();
  }
  ~SlowPeerTest() override { held_.clear(); }

  GrpcServer::Stats stats() const { return server_->server().stats(); }
  void ExpectServed() {
    TestClient client(address_);
    EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  }
  void ExpectStillOpen(RawPeer& peer) {
    peer.Send(Ping());
    EXPECT_EQ(peer.NextOf(NGHTTP2_PING).payload, "12345678");
  }
  // Sends `bytes`, few at a time, until the server has had enough.
  static void Trickle(RawPeer& peer, const std::string& bytes, size_t few,
                      const std::function<bool()>& over) {
    for (size_t i = 0; i < bytes.size() && !over(); i += few) {
      peer.Send(bytes.substr(i, few));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_TRUE(over()) << "all of it was taken";
  }

  std::mutex mu_;
  std::vector<UnaryCall> held_;
  std::unique_ptr<TestServer> server_;
  Address address_;
};

// A request of `size` bytes, without its end.
std::string BegunMessage(size_t size) {
  return std::string(1, '\0') + U32(static_cast<uint32_t>(size + 1)) + std::string(size, 'x');
}
std::string InFrames(int32_t stream, std::string_view body, uint8_t flags = 0) {
  std::string frames;
  for (; body.size() > 16384; body.remove_prefix(16384)) frames += Data(stream, body.substr(0, 16384));
  return frames + Data(stream, body, flags);
}

TEST_F(SlowPeerTest, PrefaceByTheByteIsCutOffInTime) {
  ServerOptions options;
  options.handshake_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  // SETTINGS that would take a long time to come.
  std::string settings;
  for (int i = 0; i < 100; ++i) settings += std::string("\0\4\0\0\1\0", 6);
  Trickle(peer, NGHTTP2_CLIENT_MAGIC + Frame(NGHTTP2_SETTINGS, 0, 0, settings), 1,
          [&] { return stats().of(Offence::kSlowHandshake) == 1; });
  EXPECT_TRUE(peer.WaitForEnd());
  ExpectServed();
}

class SlowHeadersTest : public SlowPeerTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(SlowHeadersTest, FrameOfNoMessageByTheByteEndsTheConnection) {
  ServerOptions options;
  options.incomplete_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  const std::string kind = GetParam();
  std::string frame = HeadersFrame(1, With(Request(), {{"x", std::string(120, 'x')}}));
  if (kind == "Continuation") {
    peer.Send(Frame(NGHTTP2_HEADERS, 0, 1, Headers(Request())));
    frame = Continuation(1, Headers({{"x", std::string(120, 'x')}, {"y", std::string(120, 'y')}}));
  } else if (kind == "Unknown") {
    frame = Frame(kUnknownType, 0, 0, std::string(300, 'x'));
  }
  Trickle(peer, frame, 1, [&] { return stats().of(Offence::kSlowHeaders) == 1; });
  EXPECT_EQ(peer.NextOf(NGHTTP2_GOAWAY).payload.substr(4), U32(NGHTTP2_ENHANCE_YOUR_CALM));
  EXPECT_TRUE(peer.WaitForEnd());
  ExpectServed();
}
INSTANTIATE_TEST_SUITE_P(All, SlowHeadersTest, ::testing::Values("Headers", "Continuation", "Unknown"));

TEST_F(SlowPeerTest, HeaderBlockWhoseRestNeverComesEndsTheConnection) {
  ServerOptions options;
  options.incomplete_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(Frame(NGHTTP2_HEADERS, 0, 1, Headers(Request())));
  EXPECT_EQ(peer.NextOf(NGHTTP2_GOAWAY).payload.substr(4), U32(NGHTTP2_ENHANCE_YOUR_CALM));
  EXPECT_EQ(stats().of(Offence::kSlowHeaders), 1u);
}

TEST_F(SlowPeerTest, MessageByTheByteEndsItsCallAlone) {
  ServerOptions options;
  options.incomplete_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request("/t.T/EchoStream")));  // says nothing, which is its right
  peer.Send(HeadersFrame(3, Request()));
  std::string trickle;
  for (const char c : BegunMessage(900)) trickle += Data(3, std::string(1, c));
  Trickle(peer, trickle, Data(3, "x").size(), [&] { return stats().of(Overrun::kSlowMessage) == 1; });
  RawPeer::Received answer = peer.NextOf(NGHTTP2_HEADERS);
  EXPECT_EQ(answer.stream, 3);
  EXPECT_EQ(answer.headers["grpc-status"], "4");
  ExpectStillOpen(peer);
}

TEST_F(SlowPeerTest, UnaryCallWhoseMessageNeverComesIsEnded) {
  ServerOptions options;
  options.incomplete_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(HeadersFrame(1, Request("/t.T/EchoStream")) + HeadersFrame(3, Request()));
  RawPeer::Received answer = peer.NextOf(NGHTTP2_HEADERS);
  EXPECT_EQ(answer.stream, 3);
  EXPECT_EQ(answer.headers["grpc-status"], "4");
  EXPECT_EQ(stats().of(Overrun::kSlowMessage), 1u);
  ExpectStillOpen(peer);
  // The quiet stream beside it, which owes nothing, goes on.
  peer.Send(Data(1, kMessage, kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_DATA).payload, kMessage);
}

TEST_F(SlowPeerTest, CallWhoseOwnAnswerIsAwaitedOwesNothing) {
  ServerOptions options;
  options.incomplete_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(Call(1, Request("/t.T/Hold")) + HeadersFrame(3, Request()));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).stream, 3);  // ended, as above
  {
    std::lock_guard<std::mutex> lock(mu_);
    ASSERT_EQ(held_.size(), 1u);
    held_[0].Respond(Text("hi"));
  }
  EXPECT_EQ(peer.NextOf(NGHTTP2_DATA).payload, kMessage);
}

TEST_F(SlowPeerTest, AnswerThatIsNotTakenIsGivenUp) {
  ServerOptions options;
  options.untaken_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}));
  const std::string request = std::string("\0\0\0\x27\x10", 5) + std::string(10'000, 'x');
  peer.Send(HeadersFrame(1, Request()) + Data(1, request, kEndStream));
  const RawPeer::Received reset = peer.NextOf(NGHTTP2_RST_STREAM);
  EXPECT_EQ(reset.stream, 1);
  EXPECT_EQ(reset.payload, U32(NGHTTP2_ENHANCE_YOUR_CALM));
  EXPECT_EQ(stats().of(Overrun::kUntaken), 1u);
  EXPECT_EQ(stats().calls_open, 0u);
  ExpectStillOpen(peer);
}

// Opens every window, asks for far more than sockets hold, and never reads; goes on speaking until it is `over`.
void Gorge(RawPeer& peer, const std::atomic<bool>& over) {
  peer.SendPreface();
  peer.Send(Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff}}) + WindowUpdate(0, 0x7fff0000));
  ASSERT_EQ(peer.NextOf(NGHTTP2_SETTINGS).flags, 0);
  peer.Send(SettingsAck());
  const std::string request = BegunMessage(900'000) + "x";
  for (int32_t id = 1; id < 40; id += 2) {
    peer.Send(HeadersFrame(id, Request()) + InFrames(id, request, kEndStream));
  }
  while (!over) {
    peer.Send(WindowUpdate(0, 1));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_F(SlowPeerTest, PeerThatNeverReadsIsCutOffHoweverMuchItSays) {
  ServerOptions options;
  options.untaken_timeout = kShort;
  Start(options);
  RawPeer peer(address_.port);
  std::atomic<bool> over{false};
  std::thread gorging([&] { Gorge(peer, over); });
  TestClient waiting(address_);
  EXPECT_TRUE(waiting.Until([&] { return stats().of(Offence::kSlowReader) == 1; }));
  over = true;
  gorging.join();
  EXPECT_TRUE(waiting.Until([&] { return stats().connections_open == 0 && stats().calls_open == 0; }));
  ExpectServed();
}

TEST_F(SlowPeerTest, KernelGivesUpAPeerThatNeverReads) {
  ServerOptions options;
  options.untaken_timeout = 0;
  options.keepalive_interval = options.keepalive_timeout = 200 * kMillisecond;
  Start(options);
  RawPeer peer(address_.port);
  std::atomic<bool> over{false};
  std::thread gorging([&] { Gorge(peer, over); });
  TestClient waiting(address_);
  EXPECT_TRUE(waiting.Until([&] { return stats().of(Offence::kVanished) == 1; }));
  over = true;
  gorging.join();
  EXPECT_TRUE(waiting.Until([&] { return stats().connections_open == 0; }));
}

TEST_F(SlowPeerTest, IncompleteMessagesOfAConnectionAreBoundedTogether) {
  ServerOptions options;
  options.max_incomplete_bytes = 1 << 20;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  ASSERT_EQ(peer.NextOf(NGHTTP2_SETTINGS).flags, 0);
  peer.Send(SettingsAck());
  peer.Send(HeadersFrame(1, Request()) + InFrames(1, BegunMessage(600'000)));
  peer.Send(HeadersFrame(3, Request()) + InFrames(3, BegunMessage(600'000)));
  RawPeer::Received refused = peer.NextOf(NGHTTP2_HEADERS);
  EXPECT_EQ(refused.stream, 3);
  EXPECT_EQ(refused.headers["grpc-status"], "8");
  EXPECT_EQ(stats().of(Overrun::kIncomplete), 1u);
  // What is complete, or given up, counts no longer.
  peer.Send(Data(1, "x", kEndStream));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers[":status"], "200");
  peer.Send(HeadersFrame(5, Request()) + InFrames(5, BegunMessage(900'000)) + RstStream(5));
  peer.Send(HeadersFrame(7, Request()) + InFrames(7, BegunMessage(900'000)) + Data(7, "x", kEndStream));
  RawPeer::Received answer;
  do answer = peer.Next();
  while (answer.type != -1 && (answer.stream != 7 || answer.type != NGHTTP2_HEADERS));
  EXPECT_EQ(answer.headers[":status"], "200");
  EXPECT_EQ(stats().of(Overrun::kIncomplete), 1u);
}

TEST_F(SlowPeerTest, MessagesThatUnpackToTooMuchAreCountedAndCostNoMemory) {
  ServerOptions options;
  options.max_message_bytes = 1 << 20;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  ASSERT_EQ(peer.NextOf(NGHTTP2_SETTINGS).flags, 0);
  peer.Send(SettingsAck());
  const Slice packed = GzipCompress(Bytes(Slice::Copy(std::string(size_t{32} << 20, '\0'))));
  std::string lying(packed.view());
  lying.replace(lying.size() - 4, 4, std::string("\1\0\0\0", 4));  // "one byte"
  int32_t id = 1;
  for (const std::string& bomb : {std::string(packed.view()), lying}) {
    const std::string message = "\1" + U32(static_cast<uint32_t>(bomb.size())) + bomb;
    peer.Send(HeadersFrame(id, With(Request(), {{"grpc-encoding", "gzip"}})) + InFrames(id, message, kEndStream));
    EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "8");
    id += 2;
  }
  EXPECT_EQ(stats().of(Overrun::kInflated), 2u);
}

TEST_F(SlowPeerTest, IdleConnectionIsToldToGoAndOneWithACallIsNot) {
  ServerOptions options;
  options.idle_timeout = kShort;
  Start(options);
  RawPeer busy(address_.port), idle(address_.port);
  busy.SendPreface();
  busy.Send(HeadersFrame(1, Request("/t.T/EchoStream")));
  idle.SendPreface();
  EXPECT_EQ(idle.NextOf(NGHTTP2_GOAWAY).payload.substr(4), U32(NGHTTP2_NO_ERROR));
  EXPECT_TRUE(idle.WaitForEnd());
  EXPECT_EQ(stats().connections_retired, 1u);
  busy.Send(Data(1, kMessage));
  EXPECT_EQ(busy.NextOf(NGHTTP2_DATA).payload, kMessage);
  busy.Send(Data(1, "", kEndStream));
  EXPECT_EQ(busy.NextOf(NGHTTP2_GOAWAY).payload.substr(4), U32(NGHTTP2_NO_ERROR));
}

TEST_F(SlowPeerTest, ChannelThatWasIdleTooLongCallsAgainWithoutAFailure) {
  ServerOptions options;
  options.idle_timeout = 20 * kMillisecond;
  Start(options);
  TestClient client(address_);
  for (uint64_t gone = 0; gone < 3; ++gone) {
    EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
    EXPECT_TRUE(client.Until([&] {
      return stats().connections_retired > gone && client.channel().state() == ClientChannel::State::kIdle;
    }));
  }
}

TEST_F(SlowPeerTest, OldConnectionGoesWhenItsCallIsAnswered) {
  ServerOptions options;
  options.max_connection_age = kShort;
  Start(options);
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(Call(1, Request("/t.T/Hold")));
  EXPECT_EQ(peer.NextOf(NGHTTP2_GOAWAY).payload.substr(4), U32(NGHTTP2_NO_ERROR));
  {
    std::lock_guard<std::mutex> lock(mu_);
    ASSERT_EQ(held_.size(), 1u);
    held_[0].Respond(Text("hi"));
  }
  EXPECT_EQ(peer.NextOf(NGHTTP2_DATA).payload, kMessage);
  EXPECT_TRUE(peer.WaitForEnd());
  EXPECT_EQ(stats().connections_retired, 1u);
}

// The same for a channel whose server takes its time.
class SlowServerTest : public ::testing::Test {
 protected:
  SlowServerTest()
      : listening_(std::move(*ListenOn(*Address::Parse("127.0.0.1:0")))),
        client_(*BoundAddress(listening_, *Address::Parse("127.0.0.1:0")), Options()) {}

  static ChannelOptions Options() {
    ChannelOptions options;
    options.incomplete_timeout = options.untaken_timeout = kShort;
    return options;
  }
  void Accept() {
    int fd = -1;
    client_.channel().Connect();
    ASSERT_TRUE(client_.Until([&] {
      fd = accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      return fd >= 0;
    }));
    peer_ = std::make_unique<RawPeer>(Socket(fd), [this] { client_.loop().RunOnce(kMillisecond); });
    ASSERT_TRUE(peer_->TakeMagic());
  }
  void Ask() {
    client_.channel().StartUnary("/t.T/Echo", {}, Text("hi"), &call_);
    peer_->Send(Settings({}));
    ASSERT_EQ(peer_->NextOf(NGHTTP2_DATA).payload, kMessage);
  }

  Socket listening_;
  Recorder call_;
  TestClient client_;
  std::unique_ptr<RawPeer> peer_;
};

TEST_F(SlowServerTest, AnswerThatDoesNotGoOnEndsTheCall) {
  const uint64_t before = ChannelCounters::OfProcess().of(Overrun::kSlowMessage);
  Accept();
  Ask();
  peer_->Send(HeadersFrame(1, {{":status", "200"}, {"content-type", "application/grpc"}}) +
              Data(1, BegunMessage(10)));
  ASSERT_TRUE(client_.Finish(call_));
  EXPECT_EQ(call_.status().kind(), ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(ChannelCounters::OfProcess().of(Overrun::kSlowMessage), before + 1);
}

TEST_F(SlowServerTest, RequestThatIsNotTakenEndsTheCall) {
  Accept();
  peer_->Send(Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}));
  ASSERT_TRUE(client_.Until([&] { return client_.channel().state() == ClientChannel::State::kReady; }));
  client_.channel().StartUnary("/t.T/Echo", {}, Text(std::string(5000, 'x')), &call_);
  ASSERT_TRUE(client_.Finish(call_));
  EXPECT_EQ(call_.status().kind(), ErrorKind::kUnavailable);
  EXPECT_NE(call_.status().message().find("not taken"), std::string::npos);
}

TEST_F(SlowServerTest, AnswersHeadersByTheByteEndTheConnection) {
  const uint64_t before = ChannelCounters::OfProcess().of(Offence::kSlowHeaders);
  Accept();
  Ask();
  peer_->Send(HeadersFrame(1, {{":status", "200"}}).substr(0, 12));
  ASSERT_TRUE(client_.Finish(call_));
  EXPECT_EQ(call_.status().kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(ChannelCounters::OfProcess().of(Offence::kSlowHeaders), before + 1);
}

}  // namespace
}  // namespace skysail::net
