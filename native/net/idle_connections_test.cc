// Ten thousand connections that say nothing: held within a stated memory, in nobody's way, and gone when they must be.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <vector>

#include "net/raw_peer_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kConnections = 2'000;  // what memory they take is not known here
constexpr bool kMemoryIsTold = false;
#else
constexpr int kConnections = 10'000;
constexpr bool kMemoryIsTold = true;
#endif
constexpr size_t kMostBytesEach = 16 << 10;  // as docs/operating.md says
constexpr TimeNs kPatience = 60 * kSecond;

size_t ResidentBytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// A process that holds the callers' ends, so that a process needs a descriptor for each connection and not two. Made
// before any thread is.
class Crowd {
 public:
  Crowd() {
    if (pipe(port_.data()) != 0) std::abort();
    child_ = fork();
    if (child_ == 0) _exit(Live());
  }
  void ConnectTo(int port) { ASSERT_EQ(write(port_[1], &port, sizeof(port)), ssize_t{sizeof(port)}); }
  // Waits until every connection was closed by the server.
  bool AllClosed() {
    int status = 0;
    return waitpid(child_, &status, 0) == child_ && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  ~Crowd() {
    for (const int fd : port_) close(fd);
  }

 private:
  int Live() const {
    int port = 0;
    if (read(port_[0], &port, sizeof(port)) != ssize_t{sizeof(port)}) return 1;
    alarm(static_cast<unsigned>(2 * kPatience / kSecond));
    std::vector<Socket> peers;
    for (int i = 0; i < kConnections; ++i) {
      peers.push_back(ConnectedTo(port));
      const std::string words = ClientPreface() + SettingsAck();
      if (send(peers.back().fd(), words.data(), words.size(), MSG_NOSIGNAL) < 0) return 2;
    }
    for (Socket& peer : peers) {
      char heard[256];
      ssize_t n;
      while ((n = recv(peer.fd(), heard, sizeof(heard), 0)) > 0) {
      }
      if (n < 0) return 3;
      peer = Socket();
    }
    return 0;
  }

  std::array<int, 2> port_{};
  pid_t child_ = -1;
};

class IdleConnectionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rlimit files{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < kConnections + 200) {
      GTEST_SKIP() << "the machine allows a process " << files.rlim_max << " descriptors";
    }
    crowd_ = std::make_unique<Crowd>();
  }
  Address Start(ServerOptions options) {
    options.drain_timeout = kPatience;
    server_ = std::make_unique<TestServer>(options);
    return server_->Start();
  }
  GrpcServer::Stats stats() const { return server_->server().stats(); }

  std::unique_ptr<Crowd> crowd_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(IdleConnectionsTest, AreHeldWithinTheirMemoryAndGoWhenTheServerDoes) {
  TestClient client(Start({}));
  ASSERT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  const size_t before = ResidentBytes();
  crowd_->ConnectTo(client.channel().address().port);
  // The last of them has said its word.
  ASSERT_TRUE(client.Until(
      [&] {
        return stats().connections_open == kConnections + 1 &&
               stats().bytes_read >= kConnections * (ClientPreface() + SettingsAck()).size();
      },
      kPatience));
  const size_t each = (ResidentBytes() - before) / kConnections;
  if (kMemoryIsTold) {
    EXPECT_LE(each, kMostBytesEach);
  }
  RecordProperty("bytes_each", static_cast<int>(each));
  // A caller that was there before, and a new one.
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
  TestClient late(client.channel().address());
  EXPECT_TRUE(late.Call("/t.T/Echo", "x")->status().ok());
  server_->Stop();
  EXPECT_EQ(stats().connections_open, 0u);
  EXPECT_TRUE(crowd_->AllClosed());
}

TEST_F(IdleConnectionsTest, AreAllClosedAtTheIdleTimeout) {
  ServerOptions options;
  options.idle_timeout = 200 * kMillisecond;
  TestClient client(Start(options));
  crowd_->ConnectTo(client.channel().address().port);
  EXPECT_TRUE(client.Until([&] { return stats().connections_retired == kConnections; }, kPatience));
  EXPECT_TRUE(crowd_->AllClosed());
  EXPECT_TRUE(client.Until([&] { return stats().connections_open == 0; }, kPatience));
  EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
}

}  // namespace
}  // namespace skysail::net
