// What goes wrong in other serving systems, as docs/defects.md lists it, put to our services: each test
// names its row.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
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

using testing::Asked;
using testing::Gate;
using testing::HandLoop;
using testing::SumRequest;
using testing::TestReplica;

ServedVersion Served(const std::string& version, const std::string& address) {
  ServedVersion served;
  served.model = "sum";
  served.version = version;
  served.digest = "artefact " + version;
  served.signature = testing::SumSignature();
  served.objective = 10 * kSecond;
  served.replicas = {{"replica at " + address, address}};
  return served;
}

// Weights: what the model adds to each sum.
TestReplica::Model Adding(float weight) {
  return [weight](ModelTask& task) {
    oip::RequestView view;
    static_cast<void>(oip::ParseRequest(task.message().view(), &view));
    const std::vector<float> x = testing::ReadFloats(view.inputs[0].raw);
    std::vector<float> sums;
    for (size_t i = 0; i + 1 < x.size(); i += 2) sums.push_back(x[i] + x[i + 1] + weight);
    static_cast<void>(task.Respond(Slice::Copy(testing::SumResponse(sums))));
  };
}

class DefectsTest : public ::testing::Test {
 protected:
  Asked Ask(InferService& service, const std::vector<float>& values, TimeNs deadline = kNever,
            std::string_view more = {}) {
    return Asked::Ask(service, hand_.loop(), SumRequest("sum", values, more), deadline);
  }
  Asked Ask(const std::vector<float>& values, TimeNs deadline = kNever,
            std::string_view more = {}) {
    return Ask(*batcher_, values, deadline, more);
  }
  bool AllDone(const std::vector<Asked>& asked) {
    return hand_.Until([&asked] {
      return std::all_of(asked.begin(), asked.end(), [](const Asked& a) { return a.done(); });
    });
  }
  // A model that runs only while the gate is open.
  TestReplica::Model Gated(TestReplica::Model model = &TestReplica::Sum) {
    return [this, model = std::move(model)](ModelTask& task) {
      gate_.Pass();
      model(task);
    };
  }
  HandLoop hand_;
  Gate gate_;
  std::shared_ptr<Batcher> batcher_ = std::make_shared<Batcher>(hand_.loops(), BatcherOptions{});
};

// D3: reloading a version with new weights leaves old answers in the cache.
TEST_F(DefectsTest, D3NoAnswerOfOldWeightsAfterAReloadUnderLoad) {
  TestReplica light(Adding(0)), heavy(Adding(100));
  std::mt19937 random(5);
  std::vector<Asked> asked;
  std::vector<float> expected;
  for (int load = 0; load < 40; ++load) {
    const bool is_heavy = load % 2 == 1;
    ServedVersion version = Served("1", is_heavy ? heavy.address() : light.address());
    version.digest = "artefact " + std::to_string(load);
    ASSERT_TRUE(batcher_->Publish({version}, load).ok());
    for (int i = 0; i < 40; ++i) {  // few inputs: most are known of the weights before
      const auto a = static_cast<float>(random() % 5);
      asked.push_back(Ask({a, 1}));
      expected.push_back(a + 1 + (is_heavy ? 100.0f : 0.0f));
      if (random() % 3 != 0) continue;
      hand_.loop().RunOnce(0);  // a turn that has something to do at its end does not wait
      hand_.loop().RunOnce(random() % 2 * kMillisecond);
    }
  }
  ASSERT_TRUE(AllDone(asked));
  for (size_t i = 0; i < asked.size(); ++i) {
    ASSERT_EQ(asked[i].answer().status.ToString(), "Ok") << i;
    ASSERT_EQ(asked[i].floats(), std::vector<float>{expected[i]}) << i;
  }
}

// D3: the same for a route that goes to a new version and back.
TEST_F(DefectsTest, D3NoAnswerOfTheOtherVersionThroughRolloutAndRollbackUnderLoad) {
  TestReplica light(Adding(0));
  TestReplica heavy(Adding(100), "127.0.0.1:0", testing::SumSignature(), "2");
  ASSERT_TRUE(
      batcher_->Publish({Served("1", light.address()), Served("2", heavy.address())}, 1).ok());
  Selector selector(hand_.loops(), batcher_);
  Application application;
  application.name = "sum";
  application.models = {"sum"};
  std::mt19937 random(6);
  std::vector<Asked> asked;
  std::vector<float> sums;
  std::vector<double> shares;
  int revision = 0;
  for (const double share : {0.0, 0.1, 0.5, 1.0, 0.0, 1.0, 0.5, 0.0}) {
    const Route route{"sum", {{"1", 1 - share}, {"2", share}}, ""};
    ASSERT_TRUE(selector.Publish({application}, {route}, ++revision).ok());
    for (int i = 0; i < 100; ++i) {
      const auto a = static_cast<float>(random() % 5);
      asked.push_back(Ask(selector, {a, 1}));
      sums.push_back(a + 1);
      shares.push_back(share);
      if (random() % 3 != 0) continue;
      hand_.loop().RunOnce(0);  // a turn that has something to do at its end does not wait
      hand_.loop().RunOnce(random() % 2 * kMillisecond);
    }
  }
  ASSERT_TRUE(AllDone(asked));
  int hits = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    const InferResponse& answer = asked[i].answer();
    ASSERT_EQ(answer.status.ToString(), "Ok") << i;
    if (shares[i] == 0 || shares[i] == 1) {
      ASSERT_EQ(answer.version, shares[i] == 1 ? "2" : "1") << i;
    }
    const float weight = answer.version == "2" ? 100 : 0;
    ASSERT_EQ(asked[i].floats(), std::vector<float>{sums[i] + weight}) << i;
    hits += answer.cache == CacheOutcome::kHit ? 1 : 0;
  }
  EXPECT_GT(hits, 100) << "most inputs were to be known";
}

// D7: one cancelled caller breaks or hangs its batch-mates. Every choice of leavers from a batch of
// four, while it runs and while it waits.
TEST_F(DefectsTest, D7WhoeverLeavesABatchTheOthersAreAnswered) {
  TestReplica replica(Gated());
  ServedVersion version = Served("1", replica.address());
  version.cache = false;
  ASSERT_TRUE(batcher_->Publish({version}, 1).ok());
  for (const bool running : {true, false}) {
    for (unsigned leavers = 0; leavers < 16; ++leavers) {
      gate_.Close();
      const size_t batches = replica.batch_rows().size();
      std::vector<Asked> before;
      if (!running) {  // one batch computes and one is staged: the four wait in the queue
        for (int i = 0; i < 2; ++i) {
          before.push_back(Ask({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
          hand_.For(kMillisecond);
        }
      }
      std::vector<Asked> asked;
      for (int i = 0; i < 4; ++i) asked.push_back(Ask({static_cast<float>(i), 1}));
      ASSERT_TRUE(hand_.Until([&] { return gate_.waiting() == 1; }));
      ASSERT_EQ(replica.batch_rows().back(), running ? 4 : 5);
      for (unsigned i = 0; i < 4; ++i) {
        if ((leavers >> i & 1) == 0) continue;
        asked[i].Cancel();
        ASSERT_TRUE(asked[i].done()) << "who leaves is let go at once";
      }
      gate_.Open();
      ASSERT_TRUE(AllDone(asked) && AllDone(before)) << "leavers " << leavers;
      for (unsigned i = 0; i < 4; ++i) {
        if ((leavers >> i & 1) != 0) {
          EXPECT_EQ(asked[i].kind(), ErrorKind::kCancelled);
        } else {
          EXPECT_EQ(asked[i].floats(), std::vector<float>{static_cast<float>(i) + 1});
        }
      }
      ASSERT_TRUE(hand_.Until([&] { return gate_.waiting() == 0; }));
      if (running) {
        EXPECT_EQ(replica.batch_rows().size(), batches + 1) << "nobody's work is done twice";
      }
    }
  }
}

// D10: a timer thread spins a core.
TEST_F(DefectsTest, D10TenThousandPendingDeadlinesCostNoCpu) {
  TestReplica replica(Gated());
  ServedVersion version = Served("1", replica.address());
  version.objective = 60 * kSecond;
  ASSERT_TRUE(batcher_->Publish({version}, 1).ok());
  Application application;
  application.name = "sum";
  application.models = {"sum"};
  application.objective = 60 * kSecond;
  auto selector = std::make_shared<Selector>(hand_.loops(), batcher_);
  ASSERT_TRUE(selector->Publish({application}, {{"sum", {{"1", 1}}, ""}}, 1).ok());
  Frontend frontend(hand_.loops(), selector);
  ASSERT_TRUE(frontend.Publish({application}, 1).ok());
  std::vector<Asked> asked;
  for (int i = 0; i < 10'000; ++i) asked.push_back(Ask(frontend, {static_cast<float>(i), 1}));
  ASSERT_TRUE(hand_.Until([&] { return gate_.waiting() == 1; }));
  hand_.For(50 * kMillisecond);

  const auto cpu = [] {
    timespec spent;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return spent.tv_sec * kSecond + spent.tv_nsec;
  };
  const TimeNs began = SystemClock::Get().Now(), cpu_began = cpu();
  while (SystemClock::Get().Now() < began + kSecond) hand_.loop().RunOnce(kSecond);
  const TimeNs took = SystemClock::Get().Now() - began;
  EXPECT_LT(static_cast<double>(cpu() - cpu_began), 0.01 * static_cast<double>(took));
  gate_.Open();
  ASSERT_TRUE(AllDone(asked));
}

// D11: an exception in user code ends the container's loop, and no error reaches the callers.
TEST_F(DefectsTest, D11AModelThatFailsAnswersWithItsTextAndServesOn) {
  TestReplica replica([](ModelTask& task) {
    if (task.rows() > 1) {
      static_cast<void>(task.Fail(Internal("ValueError: no more than one")));
    } else {
      TestReplica::Sum(task);
    }
  });
  ASSERT_TRUE(batcher_->Publish({Served("1", replica.address())}, 1).ok());
  for (int i = 0; i < 20; ++i) {
    std::vector<Asked> asked{Ask({1, 2, 3, 4})};
    ASSERT_TRUE(AllDone(asked));
    EXPECT_EQ(asked[0].answer().status.ToString(), "Internal: ValueError: no more than one");
    std::vector<Asked> next{Ask({static_cast<float>(i), 4})};
    ASSERT_TRUE(AllDone(next));
    EXPECT_EQ(next[0].floats(), std::vector<float>{static_cast<float>(i) + 4});
  }
}

// D13: exploration of batch sizes has no bound and pads batches with copies.
TEST_F(DefectsTest, D13BatchesNeverPassTheMaximumAndHoldOnlyWhatWasAsked) {
  TestReplica replica(TestReplica::Slow(kMillisecond / 2));
  ServedVersion version = Served("1", replica.address());
  version.max_batch_rows = 24;
  version.cache = false;
  ASSERT_TRUE(batcher_->Publish({version}, 1).ok());
  std::mt19937 random(7);
  std::vector<Asked> asked;
  int64_t rows = 0;
  for (int i = 0; i < 2000; ++i) {
    const size_t count = 1 + random() % 3;
    asked.push_back(Ask(std::vector<float>(2 * count, static_cast<float>(i))));
    rows += static_cast<int64_t>(count);
    if (i % 100 == 0) hand_.loop().RunOnce(kMillisecond);
  }
  ASSERT_TRUE(AllDone(asked));
  for (const Asked& each : asked) ASSERT_EQ(each.answer().status.ToString(), "Ok");
  int64_t most = 0, seen = 0;
  for (const int64_t batch : replica.batch_rows()) {
    most = std::max(most, batch);
    seen += batch;
  }
  EXPECT_LE(most, 24);
  EXPECT_GE(most, 20) << "the limit was to be explored up to the maximum";
  EXPECT_EQ(seen, rows);
}

// D14: the errors of a model arrive under a status of success, and the last caller's path and headers
// are those of the batch.
TEST_F(DefectsTest, D14EachCallerOfATurnGetsAStatusOfItsOwn) {
  TestReplica replica(Gated([](ModelTask& task) {
    if (task.message().view().find("fragile") != std::string_view::npos) {
      static_cast<void>(task.Fail(InvalidArgument("it broke")));
    } else {
      TestReplica::Sum(task);
    }
  }));
  ServedVersion version = Served("1", replica.address());
  version.cache = false;
  ASSERT_TRUE(batcher_->Publish({version}, 1).ok());
  const std::string fragile = oip::testing::TextParameter("handling", "fragile");
  const std::string sturdy = oip::testing::TextParameter("handling", "sturdy");
  std::vector<Asked> asked;
  for (int i = 0; i < 3; ++i) {
    asked.push_back(Ask({1, 2}, kNever, sturdy));
    asked.push_back(Ask({3, 4}, kNever, fragile));
    asked.push_back(Asked::Ask(*batcher_, hand_.loop(),
                               oip::testing::Request("sum", "", {{"x", "FP32", {1, 3}, ""}})));
    asked.push_back(Asked::Ask(*batcher_, hand_.loop(), SumRequest("nobody", {1, 2})));
    asked.push_back(Ask({5, 6}));
  }
  gate_.Open();
  ASSERT_TRUE(AllDone(asked));
  for (size_t i = 0; i < asked.size(); i += 5) {
    EXPECT_EQ(asked[i].floats(), std::vector<float>{3});
    EXPECT_EQ(asked[i + 1].answer().status.ToString(), "InvalidArgument: it broke");
    EXPECT_EQ(asked[i + 2].kind(), ErrorKind::kInvalidArgument);
    EXPECT_EQ(asked[i + 3].kind(), ErrorKind::kNotFound);
    EXPECT_EQ(asked[i + 4].floats(), std::vector<float>{11});
  }
  EXPECT_EQ(replica.batch_rows(), (std::vector<int64_t>{3, 3, 3})) << "one batch of each kind";
}

// D16: an unbounded queue.
TEST_F(DefectsTest, D16AFullQueueRefusesAtOnceAndSaysWhenToTryAgain) {
  BatcherOptions options;
  options.queue.max_entries = 10;
  auto batcher = std::make_shared<Batcher>(hand_.loops(), options);
  TestReplica replica(Gated());
  ServedVersion version = Served("1", replica.address());
  version.max_batch_rows = 1;
  version.cache = false;
  ASSERT_TRUE(batcher->Publish({version}, 1).ok());
  std::vector<Asked> asked;
  for (int i = 0; i < 2; ++i) {  // one computes, one is staged
    asked.push_back(Ask(*batcher, {1, 2}));
    hand_.For(5 * kMillisecond);
  }
  for (int i = 0; i < 30; ++i) asked.push_back(Ask(*batcher, {1, 2}));
  size_t refused = 0;
  for (const Asked& each : asked) {
    if (!each.done()) continue;
    ++refused;
    EXPECT_EQ(each.kind(), ErrorKind::kResourceExhausted);
    EXPECT_GT(each.answer().retry_after, 0);
  }
  EXPECT_EQ(refused, 20u);
  gate_.Open();
  ASSERT_TRUE(AllDone(asked));
}

// D17: the server's timeout rules, not the caller's deadline.
TEST_F(DefectsTest, D17TheCallersDeadlineAndCancelReachTheModelServer) {
  std::atomic<TimeNs> left{kNever};
  std::atomic<bool> told{false};
  TestReplica replica([&](ModelTask& task) {
    left = task.deadline() - SystemClock::Get().Now();
    for (int i = 0; i < 20'000 && !task.cancelled(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    told = task.cancelled();
    TestReplica::Sum(task);
  });
  ASSERT_TRUE(batcher_->Publish({Served("1", replica.address())}, 1).ok());
  Asked leaving = Ask({1, 2}, SystemClock::Get().Now() + 5 * kSecond);  // the objective: 10 s
  ASSERT_TRUE(hand_.Until([&] { return left != kNever; }));
  EXPECT_LE(left, 5 * kSecond);
  EXPECT_GT(left, kSecond);
  leaving.Cancel();
  ASSERT_TRUE(hand_.Until([&] { return told.load(); }));
}

}  // namespace
}  // namespace skysail::services
