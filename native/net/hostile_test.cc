// Peers that mean harm: each is cut off with the right error and counted, while an honest one is served.
#include <unistd.h>

#include <fstream>

#include "net/raw_peer_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

const std::string kEnhanceYourCalm("\0\0\0\x0b", 4);
constexpr TimeNs kHonestDeadline = 2 * kSecond;

size_t ResidentBytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

std::string Repeat(const std::string& bytes, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += bytes;
  return all;
}

class HostileTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    server_ = std::make_unique<TestServer>(options);
    address_ = server_->Start();
    honest_ = std::make_unique<TestClient>(address_);
    ExpectHonestServed();
  }
  // On a connection that was there before the attack.
  void ExpectHonestServed() {
    CallOptions options;
    options.deadline = honest_->Now() + kHonestDeadline;
    EXPECT_TRUE(honest_->Call("/t.T/Echo", "x", options)->status().ok());
  }
  uint64_t Count(Offence offence) const { return server_->server().stats().of(offence); }

  // Sends `attack` on a new connection; the server must end it with `offence`.
  void ExpectCutOff(const std::string& attack, Offence offence) {
    const size_t before = ResidentBytes();
    {
      RawPeer peer(address_.port);
      peer.SendPreface();
      std::thread sender([&] { peer.Send(attack); });
      ExpectHonestServed();
      const RawPeer::Received last = peer.NextOf(NGHTTP2_GOAWAY);
      EXPECT_EQ(last.type, NGHTTP2_GOAWAY);
      EXPECT_EQ(last.payload.substr(4), kEnhanceYourCalm);
      EXPECT_TRUE(peer.WaitForEnd());
      sender.join();
    }
    EXPECT_EQ(Count(offence), 1u);
    EXPECT_TRUE(honest_->Until([&] {
      return server_->server().stats().connections_open == 1 &&
             server_->server().stats().calls_open == 0;
    }));
    ExpectHonestServed();
    EXPECT_LT(ResidentBytes(), before + (size_t{24} << 20));
  }

  std::unique_ptr<TestServer> server_;
  std::unique_ptr<TestClient> honest_;
  Address address_;
};

TEST_F(HostileTest, RapidReset) {
  Start();
  std::string attack;
  for (int32_t id = 1; id < 20'000; id += 2) {
    attack += HeadersFrame(id, Request()) + RstStream(id);
  }
  ExpectCutOff(attack, Offence::kResetFlood);
}

TEST_F(HostileTest, ResetsThatThePeerProvokes) {
  ServerOptions options;
  options.max_control_burst = 1 << 20;  // so that the window updates are not what is counted
  Start(options);
  // A window that overflows is an error of the stream, which the server must reset.
  std::string attack;
  for (int32_t id = 1; id < 20'000; id += 2) {
    attack += HeadersFrame(id, Request()) + WindowUpdate(id, 0x7fffffff);
  }
  ExpectCutOff(attack, Offence::kResetFlood);
}

TEST_F(HostileTest, PingFlood) {
  Start();
  ExpectCutOff(Repeat(Ping(), 5000), Offence::kPingFlood);
}

TEST_F(HostileTest, SettingsFlood) {
  Start();
  ExpectCutOff(Repeat(Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1}}), 5000),
               Offence::kSettingsFlood);
}

TEST_F(HostileTest, PriorityFlood) {
  Start();
  ExpectCutOff(Repeat(Priority(1), 5000), Offence::kUselessFrameFlood);
}

TEST_F(HostileTest, FloodOfFramesOfAnUnknownType) {
  Start();
  ExpectCutOff(Repeat(Frame(0xfa, 0, 0, "who knows"), 5000), Offence::kUselessFrameFlood);
}

TEST_F(HostileTest, FloodOfEmptyData) {
  Start();
  ExpectCutOff(HeadersFrame(1, Request()) + Repeat(Data(1, ""), 5000),
               Offence::kUselessFrameFlood);
}

TEST_F(HostileTest, WindowUpdateFlood) {
  Start();
  ExpectCutOff(Repeat(WindowUpdate(0, 1), 5000),
               Offence::kWindowUpdateFlood);
}

TEST_F(HostileTest, WindowOpenedByTheByteEarnsNothing) {
  Start();
  RawPeer peer(address_.port);
  peer.SendPreface();
  peer.Send(Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}));  // windows of nothing
  const std::string request = std::string("\0\0\0\x27\x10", 5) + std::string(10'000, 'x');
  peer.Send(HeadersFrame(1, Request()) + Data(1, request, kEndStream));
  ASSERT_EQ(peer.NextOf(NGHTTP2_HEADERS).type, NGHTTP2_HEADERS);
  std::thread sender([&] {
    for (int i = 0; i < 2000; ++i) {
      peer.Send(WindowUpdate(1, 1));
    }
  });
  EXPECT_EQ(peer.NextOf(NGHTTP2_GOAWAY).payload.substr(4), kEnhanceYourCalm);
  sender.join();
  EXPECT_EQ(Count(Offence::kWindowUpdateFlood), 1u);
  ExpectHonestServed();
}

TEST_F(HostileTest, ContinuationFlood) {
  Start();
  std::string attack = Frame(NGHTTP2_HEADERS, 0, 1, Headers(Request()));
  attack += Repeat(Continuation(1, "", 0), 5000);
  ExpectCutOff(attack, Offence::kHeaderBomb);
}

TEST_F(HostileTest, HeaderBlockWithoutEnd) {
  Start();
  std::string attack = Frame(NGHTTP2_HEADERS, 0, 1, Headers(Request()));
  const std::string fields = Repeat(Headers({{"x-a", std::string(100, 'a')}}), 150);
  attack += Repeat(Continuation(1, fields, 0), 40);
  ExpectCutOff(attack, Offence::kHeaderBomb);
}

TEST_F(HostileTest, HeadersThatUnpackToFarMoreThanTheyWere) {
  Start();
  // One field of 3 KiB in HPACK's table (literal with indexing; lengths 3 and 3000), then references to it.
  std::string bomb = Headers(Request());
  bomb += std::string("\x40\x03x-a\x7f\xb9\x16", 8) + std::string(3000, 'a');
  bomb += std::string(10'000, static_cast<char>(0x80 | 62));
  ExpectCutOff(Frame(NGHTTP2_HEADERS, kEndHeaders, 1, bomb), Offence::kHeaderBomb);
}

TEST_F(HostileTest, MetadataOverTheLimitFailsThatCallOnly) {
  Start();
  RawPeer peer(address_.port);
  peer.SendPreface();
  std::string fields = Headers(Request());
  for (int i = 0; i < 600; ++i) fields += Headers({{"x-a", std::string(100, 'a')}});
  peer.Send(Frame(NGHTTP2_HEADERS, 0, 1, fields.substr(0, 16384)));
  std::string rest = fields.substr(16384);
  while (rest.size() > 16384) {
    peer.Send(Continuation(1, rest.substr(0, 16384), 0));
    rest = rest.substr(16384);
  }
  peer.Send(Continuation(1, rest));
  EXPECT_EQ(peer.NextOf(NGHTTP2_HEADERS).headers["grpc-status"], "8");
  peer.Send(Ping());
  EXPECT_EQ(peer.NextOf(NGHTTP2_PING).type, NGHTTP2_PING);
  EXPECT_EQ(Count(Offence::kHeaderBomb), 0u);
}

// What an honest client does at its worst is no attack: all calls of a connection broken off, again and again.
TEST_F(HostileTest, StormsOfCancelsByAnHonestClientAreServed) {
  Start();
  for (int storm = 0; storm < 4; ++storm) {
    std::vector<Recorder> calls(1000);
    std::vector<ClientStream*> streams;
    for (Recorder& call : calls) {
      streams.push_back(honest_->channel().Start("/t.T/EchoStream", {}, &call));
    }
    honest_->Until([] { return false; }, 20 * kMillisecond);
    for (ClientStream* stream : streams) stream->Cancel();
    ExpectHonestServed();
  }
  EXPECT_EQ(server_->server().stats().connections_accepted, 1u);
  EXPECT_EQ(Count(Offence::kResetFlood), 0u);
}

}  // namespace
}  // namespace skysail::net
