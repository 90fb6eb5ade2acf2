// Connections over time: draining, loss, back-off, keep-alive.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/raw_peer_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

using State = ClientChannel::State;

TEST(ConnectionTest, DrainUnderLoadLosesNoAcceptedCall) {
  TestServer server({}, 2);
  const Address address = server.Start();
  std::atomic<int> answered{0}, unprocessed{0}, lost{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      TestClient client(address);
      std::vector<Recorder> calls(64);
      while (!stop) {
        int open = 0;
        for (Recorder& call : calls) {
          if (call.done()) {
            if (call.status().ok()) {
              ++answered;
            } else if (call.result->unprocessed) {
              ++unprocessed;
            } else {
              ++lost;
              ADD_FAILURE() << call.status().ToString();
            }
            call.result.reset();
            call.messages.clear();
          } else if (client.channel().open_calls() >= 64) {
            continue;
          }
          client.channel().StartUnary("/t.T/Echo", {}, Text("load"), &call);
          ++open;
        }
        client.loop().RunOnce(kMillisecond);
      }
      client.DropChannel();
    });
  }
  while (answered < 3000) std::this_thread::yield();
  server.server().Shutdown();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(server.server().stats().connections_open, 0u);
}

TEST(ConnectionTest, ShutdownWaitsForCallsInFlight) {
  TestServer server;
  std::atomic<bool> holding{false};
  std::unique_ptr<UnaryCall> held;
  server.AddUnary("/t.T/Hold", [&](UnaryCall call) {
    held = std::make_unique<UnaryCall>(std::move(call));
    holding = true;
  });
  TestClient client(server.Start());
  Recorder call;
  client.channel().StartUnary("/t.T/Hold", {}, Text("x"), &call);
  ASSERT_TRUE(client.Until([&] { return holding.load(); }));
  std::atomic<bool> down{false};
  std::thread stopper([&] {
    server.server().Shutdown();
    down = true;
  });
  // GOAWAY has come once the channel no longer counts its connection as usable.
  EXPECT_TRUE(client.Until([&] { return client.channel().state() != State::kReady; }));
  EXPECT_FALSE(down);
  held->Respond(Text("answered while draining"));
  EXPECT_TRUE(client.Finish(call));
  EXPECT_TRUE(client.Until([&] { return down.load(); }));
  stopper.join();
  EXPECT_EQ(call.messages.at(0), "answered while draining");
}

TEST(ConnectionTest, ChannelReconnectsWhenTheServerComesBack) {
  ChannelOptions options;
  options.backoff_initial = 5 * kMillisecond;
  options.backoff_max = 20 * kMillisecond;
  auto server = std::make_unique<TestServer>();
  const Address address = server->Start();
  TestClient client(address, options);
  std::vector<State> states;
  client.channel().SetStateListener([&states](State state) { states.push_back(state); });
  EXPECT_TRUE(client.Call("/t.T/Echo", "1")->status().ok());
  std::thread stopper([&] { server.reset(); });
  ASSERT_TRUE(client.Until([&] { return client.channel().state() == State::kIdle; }));
  stopper.join();
  const auto failed = client.Call("/t.T/Echo", "2");
  EXPECT_EQ(failed->status().kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(failed->result->unprocessed);
  ASSERT_TRUE(client.Until([&] { return client.channel().state() == State::kBackoff; }));
  server = std::make_unique<TestServer>();
  server->Start(address.ToString());
  ASSERT_TRUE(client.Until([&] { return client.channel().state() == State::kReady; }));
  EXPECT_TRUE(client.Call("/t.T/Echo", "3")->status().ok());
  EXPECT_EQ(states.front(), State::kConnecting);
  EXPECT_EQ(states.back(), State::kReady);
}

TEST(ConnectionTest, CallsFailAtOnceWhileThePeerIsKnownToBeAway) {
  Address nobody;
  {
    Result<Socket> taken = ListenOn(*Address::Parse("127.0.0.1:0"));
    nobody = *BoundAddress(*taken, *Address::Parse("127.0.0.1:0"));
  }
  ChannelOptions options;
  options.backoff_initial = 10 * kSecond;
  TestClient client(nobody, options);
  for (int i = 0; i < 3; ++i) {
    const TimeNs began = client.Now();
    const auto call = client.Call("/t.T/Echo", "x");
    EXPECT_EQ(call->status().kind(), ErrorKind::kUnavailable);
    EXPECT_NE(call->status().message().find("refused"), std::string::npos)
        << call->status().message();
    EXPECT_TRUE(call->result->unprocessed);
    EXPECT_LT(client.Now() - began, 2 * kSecond);
  }
  EXPECT_EQ(client.channel().state(), State::kBackoff);
}

TEST(ConnectionTest, UnixPeerThatIsNotThereIsUnavailable) {
  TestClient client(*Address::Parse("unix:" + ::testing::TempDir() + "nobody-listens-here"));
  const auto call = client.Call("/t.T/Echo", "x");
  EXPECT_EQ(call->status().kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(call->result->unprocessed);
}

TEST(ConnectionTest, CallOnAConnectionThatDiesMidAnswerIsNotUnprocessed) {
  ServerOptions options;
  options.drain_timeout = 10 * kMillisecond;
  TestServer server(options);
  std::unique_ptr<UnaryCall> held;
  std::atomic<bool> holding{false};
  server.AddUnary("/t.T/Hold", [&](UnaryCall call) {
    held = std::make_unique<UnaryCall>(std::move(call));
    holding = true;
  });
  TestClient client(server.Start());
  Recorder call;
  client.channel().StartUnary("/t.T/Hold", {}, Text("x"), &call);
  ASSERT_TRUE(client.Until([&] { return holding.load(); }));
  server.server().Shutdown();
  ASSERT_TRUE(client.Finish(call));
  EXPECT_EQ(call.status().kind(), ErrorKind::kUnavailable);
  EXPECT_FALSE(call.result->unprocessed);
  held.reset();
}

// Accepts and never says a word.
class Mute {
 public:
  Mute() : socket_(std::move(*ListenOn(*Address::Parse("127.0.0.1:0")))) {}
  // The next caller's socket, once there is one.
  Socket Accept() const { return Socket(accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC)); }
  Address address() const { return *BoundAddress(socket_, *Address::Parse("127.0.0.1:0")); }

 private:
  Socket socket_;
};

TEST(ConnectionTest, PeerThatNeverSpeaksIsGivenUpAfterTheConnectTimeout) {
  Mute mute;
  ChannelOptions options;
  options.connect_timeout = 40 * kMillisecond;
  TestClient client(mute.address(), options);
  const auto call = client.Call("/t.T/Echo", "x");
  EXPECT_EQ(call->status().kind(), ErrorKind::kUnavailable);
}

TEST(ConnectionTest, PeerThatSpeaksNoHttp2FailsTheCallsAndTheNextConnectionMayWork) {
  Mute mute;
  ChannelOptions options;
  options.backoff_initial = kMillisecond;
  TestClient client(mute.address(), options);
  Recorder first;
  client.channel().StartUnary("/t.T/Echo", {}, Text("x"), &first);
  Socket accepted;
  ASSERT_TRUE(client.Until([&] { return bool(accepted = mute.Accept()); }));
  const std::string_view garbage = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(send(accepted.fd(), garbage.data(), garbage.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(garbage.size()));
  ASSERT_TRUE(client.Finish(first));
  EXPECT_EQ(first.status().kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(client.Until([&] { return bool(accepted = mute.Accept()); })) << "no new attempt";
}

TEST(ConnectionTest, ServerDropsAConnectionThatAnswersNoPing) {
  ServerOptions options;
  options.keepalive_interval = 30 * kMillisecond;
  options.keepalive_timeout = 30 * kMillisecond;
  TestServer server(options);
  RawPeer peer(server.Start().port);
  peer.SendPreface();
  EXPECT_EQ(peer.NextOf(NGHTTP2_PING).type, NGHTTP2_PING);
  EXPECT_TRUE(peer.WaitForEnd());
}

TEST(ConnectionTest, KeepaliveLeavesALivingIdleConnectionAlone) {
  ServerOptions options;
  options.keepalive_interval = 10 * kMillisecond;
  options.keepalive_timeout = 500 * kMillisecond;
  TestServer server(options);
  TestClient client(server.Start());
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  const TimeNs until = client.Now() + 100 * kMillisecond;
  client.Until([&] { return client.Now() >= until; });
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  EXPECT_EQ(server.server().stats().connections_accepted, 1u);
}

TEST(ConnectionTest, ServerOutOfDescriptorsWaitsWithoutSpinning) {
  TestServer server;
  const int port = server.Start().port;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = fcntl(0, F_DUPFD_CLOEXEC, 0);
  close(lowest_free);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free) + 1;  // the peer's own socket is the last
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  RawPeer peer(port);
  timespec began{}, ended{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
  const uint64_t accepted = server.server().stats().connections_accepted;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(peer.connected());
  EXPECT_EQ(accepted, 0u);
  EXPECT_GE(server.server().stats().accepts_put_off, 1u);
  EXPECT_LE(server.server().stats().accepts_put_off, 10u);
  EXPECT_LT((ended.tv_sec - began.tv_sec) * kSecond + ended.tv_nsec - began.tv_nsec,
            25 * kMillisecond);
  peer.SendPreface();
  EXPECT_EQ(peer.NextOf(NGHTTP2_SETTINGS).type, NGHTTP2_SETTINGS);
}

TEST(ConnectionTest, ServerThatWasNeverTurnedShutsDown) {
  LoopThreads loops(2);
  GrpcServer server(loops, {});
  ASSERT_TRUE(server.Listen(*Address::Parse("127.0.0.1:0"), false).ok());
  server.Start();
  server.Shutdown();
  EXPECT_EQ(server.stats().connections_open, 0u);
}

TEST(ConnectionTest, TakenPortIsReportedWithItsAddress) {
  TestServer server;
  const Address address = server.Start();
  LoopThreads loops(1);
  GrpcServer second(loops, {});
  const auto bound = second.Listen(address, false);
  ASSERT_FALSE(bound.ok());
  EXPECT_NE(bound.status().message().find(address.ToString()), std::string::npos);
}

}  // namespace
}  // namespace skysail::net
