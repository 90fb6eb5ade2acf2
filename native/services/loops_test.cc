// Calls of several loop threads that meet in one batcher, while it is published anew.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "services/batcher.h"
#include "services/frontend.h"
#include "services/replica_testing.h"
#include "services/selector.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::TestReplica;

// Counts what came of the calls of one test.
struct Tally {
  std::atomic<int> ended{0}, right{0}, wrong{0}, cancelled{0}, failed{0};
};

// Checks one answer against what its own request asked for.
class Check final : public InferCompletion {
 public:
  Check(Tally& tally, float expected) : tally_(tally), expected_(expected) {}
  void Done(InferResponse response) override {
    if (response.status.ok()) {
      const bool right = testing::PayloadFloats(response.payload) == std::vector<float>{expected_};
      ++(right ? tally_.right : tally_.wrong);
    } else {
      ++(response.status.kind() == ErrorKind::kCancelled ? tally_.cancelled : tally_.failed);
    }
    ++tally_.ended;
  }

 private:
  Tally& tally_;
  const float expected_;
};

// Runs on the call's loop.
void AskFrom(net::EventLoop& loop, InferService& service, Tally& tally, unsigned chance) {
  // Few distinct inputs, so that calls of different loops join each other's runs.
  const auto a = static_cast<float>(chance % 7), b = static_cast<float>(chance % 5);
  auto request = ReadRequest(Slice::Copy(testing::SumRequest("sum", {a, b})), false);
  auto scope = std::make_shared<CallScope>(loop);
  service.Infer(InferCall(std::move(*request), kNever, scope,
                          std::make_unique<Check>(tally, a + b)));
  if (chance % 6 == 0) {
    loop.Post([scope] { scope->Cancel(); });
  }
}

TEST(LoopsTest, CallsOfManyLoopsMeetInOneQueueWhileItIsPublishedAnew) {
  constexpr int kLoops = 3, kCalls = 3000;
  TestReplica one, two;
  net::LoopThreads loops(kLoops);
  loops.Start();
  Tally tally;
  {
    auto batcher = std::make_shared<Batcher>(loops, BatcherOptions{});
    auto selector = std::make_shared<Selector>(loops, batcher);
    Frontend frontend(loops, selector);
    ServedVersion version;
    version.model = "sum";
    version.version = "1";
    version.digest = "one";
    version.signature = testing::SumSignature();
    version.objective = 20 * kSecond;
    version.cache_ttl = kMillisecond;  // so that the model is asked again and again
    version.replicas = {{"one", one.address()}, {"two", two.address()}};
    Application application;
    application.name = "sum";
    application.models = {"sum"};
    application.objective = 20 * kSecond;
    application.signature = testing::SumSignature();
    ASSERT_TRUE(batcher->Publish({version}, 1).ok());
    ASSERT_TRUE(selector->Publish({application}, {{"sum", {{"1", 1}}, ""}}, 1).ok());
    ASSERT_TRUE(frontend.Publish({application}, 1).ok());

    std::mt19937 random(3);
    for (int i = 0; i < kCalls; ++i) {
      net::EventLoop& loop = loops.loop(i % kLoops);
      loop.Post([&loop, &frontend, &tally, chance = static_cast<unsigned>(random())] {
        AskFrom(loop, frontend, tally, chance);
      });
      if (i % 100 == 0) {
        version.cache = i % 300 != 0;
        ASSERT_TRUE(batcher->Publish({version}, i).ok());
        ASSERT_TRUE(selector->Publish({application}, {{"sum", {{"1", 1}}, ""}}, i).ok());
        ASSERT_TRUE(frontend.Publish({application}, i).ok());
        static_cast<void>(frontend.Stats());
        static_cast<void>(batcher->Stats());
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
    for (int turn = 0; tally.ended < kCalls && turn < 20000; ++turn) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  EXPECT_EQ(tally.ended, kCalls);
  EXPECT_EQ(tally.wrong, 0);
  EXPECT_EQ(tally.failed, 0);
  EXPECT_GT(tally.right, kCalls / 2);
  loops.Stop();
}

}  // namespace
}  // namespace skysail::services
