#include "services/batcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <random>
#include <string>
#include <thread>

#include "services/replica_testing.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::Gate;
using testing::HandLoop;
using testing::SumRequest;
using testing::TestReplica;

ServedVersion Sum(std::vector<std::string> addresses, bool cache = false) {
  ServedVersion version;
  version.model = "sum";
  version.version = "1";
  version.digest = "one";
  version.signature = testing::SumSignature();
  version.objective = 5 * kSecond;
  version.cache = cache;
  for (std::string& address : addresses) {
    version.replicas.push_back({"replica at " + address, address});
  }
  return version;
}

class BatcherTest : public ::testing::Test {
 protected:
  void Publish(const ServedVersion& version) {
    ASSERT_TRUE(batcher_.Publish({version}, ++revision_).ok());
  }
  Asked Ask(const std::vector<float>& values, TimeNs deadline = kNever, std::string_view more = {}) {
    return Asked::Ask(batcher_, hand_.loop(), SumRequest("sum", values, more), deadline);
  }
  bool Done(const Asked& asked) {
    return hand_.Until([&asked] { return asked.done(); });
  }
  bool AllDone(const std::vector<Asked>& asked) {
    return hand_.Until([&asked] {
      return std::all_of(asked.begin(), asked.end(), [](const Asked& a) { return a.done(); });
    });
  }
  uint64_t Count(const std::string& group, const std::string& name) {
    const Report report = batcher_.Stats();
    const auto& models = std::get<Report>(*report.Find("models"));
    const auto& sum = std::get<Report>(*std::get<Report>(*models.Find("sum")).Find("1"));
    const Report& counts = group.empty() ? sum : std::get<Report>(*sum.Find(group));
    return std::get<uint64_t>(*counts.Find(name));
  }
  int64_t revision_ = 0;
  HandLoop hand_;
  Batcher batcher_{hand_.loops(), {}};
};

TEST_F(BatcherTest, AnswersThroughAReplica) {
  TestReplica replica;
  Publish(Sum({replica.address()}));
  Asked asked = Ask({1, 2, 3, 4});
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.answer().status.ToString(), "Ok");
  EXPECT_EQ(asked.floats(), (std::vector<float>{3, 7}));
  EXPECT_EQ(asked.answer().model, "sum");
  EXPECT_EQ(asked.answer().version, "1");
  EXPECT_EQ(asked.answer().cache, CacheOutcome::kNone);
}

TEST_F(BatcherTest, WhatWaitsTogetherIsOneBatch) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  std::vector<Asked> asked;
  for (int i = 0; i < 4; ++i) asked.push_back(Ask({static_cast<float>(i), 1}));
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  EXPECT_EQ(replica.batch_rows(), (std::vector<int64_t>{4}));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(asked[static_cast<size_t>(i)].floats(),
              std::vector<float>{static_cast<float>(i) + 1});
  }
}

// What is told of a call adds up to what it took.
TEST_F(BatcherTest, TellsWhereTheTimeWent) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}, true));
  const TimeNs began = SystemClock::Get().Now();
  Asked first = Ask({1, 2});
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  Asked joined = Ask({1, 2});
  Asked staged = Ask({3, 4});
  hand_.For(30 * kMillisecond);
  gate.Open();
  ASSERT_TRUE(AllDone({first, joined, staged}));
  const uint32_t took_us = Timing::Us(SystemClock::Get().Now() - began);
  for (const Asked* asked : {&first, &joined, &staged}) {
    const Timing& timing = asked->answer().timing;
    EXPECT_GE(timing.model_us, 20000u);
    EXPECT_LE(timing.queue_us + timing.fill_us + timing.staged_us + timing.model_us + timing.hop_us,
              took_us);
    EXPECT_EQ(timing.batch_rows, 1u);
    EXPECT_GE(timing.limit_rows, 1u);
    EXPECT_EQ(timing.replica, "replica at " + replica.address());
  }
  EXPECT_GE(first.answer().timing.model_us, 50000u) << "the gate is part of the model";
  EXPECT_GE(staged.answer().timing.queue_us + staged.answer().timing.staged_us, 45000u);
  EXPECT_EQ(first.answer().timing.batch, joined.answer().timing.batch);
  EXPECT_NE(first.answer().timing.batch, staged.answer().timing.batch);
  EXPECT_EQ(joined.answer().timing.queue_us, 0u);

  Asked hit = Ask({1, 2});
  ASSERT_TRUE(Done(hit));
  EXPECT_EQ(hit.answer().cache, CacheOutcome::kHit);
  EXPECT_EQ(hit.answer().timing.batch, 0u);
}

TEST_F(BatcherTest, TellsWhereTheTimeOfAFailureWent) {
  TestReplica replica([](ModelTask& task) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    static_cast<void>(task.Fail(Internal("out of order")));
  });
  Publish(Sum({replica.address()}));
  Asked failed = Ask({1, 2});
  ASSERT_TRUE(Done(failed));
  EXPECT_EQ(failed.kind(), ErrorKind::kInternal);
  EXPECT_GE(failed.answer().timing.model_us, 20000u);
  EXPECT_NE(failed.answer().timing.batch, 0u);
}

// Random sizes, timings and cancels: every call is answered once, with its own rows.
TEST_F(BatcherTest, NeverMixesReordersOrLosesRows) {
  std::mt19937 random(11);
  const auto draw = [&random](int most) {
    return static_cast<int>(random() % static_cast<unsigned>(most));
  };
  TestReplica fast, slow(TestReplica::Slow(2 * kMillisecond));
  Publish(Sum({fast.address(), slow.address()}));
  std::vector<Asked> asked;
  std::vector<std::vector<float>> expected;
  std::vector<bool> left;
  for (int i = 0; i < 600; ++i) {
    const int rows = 1 + draw(5);
    std::vector<float> values, sums;
    for (int row = 0; row < rows; ++row) {
      values.push_back(static_cast<float>(i));
      values.push_back(static_cast<float>(draw(1000)));
      sums.push_back(values[values.size() - 2] + values.back());
    }
    asked.push_back(Ask(values));
    expected.push_back(sums);
    left.push_back(false);
    if (draw(4) == 0) {
      const auto victim = static_cast<size_t>(draw(i + 1));
      if (!asked[victim].done()) {
        asked[victim].Cancel();
        left[victim] = true;
        EXPECT_TRUE(asked[victim].done()) << "a caller who leaves is let go at once";
      }
    }
    if (draw(3) == 0) hand_.loop().RunOnce(draw(2) * kMillisecond / 4);
  }
  ASSERT_TRUE(AllDone(asked));
  for (size_t i = 0; i < asked.size(); ++i) {
    if (left[i]) {
      EXPECT_EQ(asked[i].kind(), ErrorKind::kCancelled);
    } else {
      ASSERT_EQ(asked[i].answer().status.ToString(), "Ok") << i;
      EXPECT_EQ(asked[i].floats(), expected[i]) << i;
    }
  }
  EXPECT_EQ(Count("batching", "queued"), 0u);
}

TEST_F(BatcherTest, RequestsThatDifferInParametersOrOutputsNeverShareABatch) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  std::vector<Asked> asked;
  for (const char* heat : {"hot", "cold", "hot"}) {
    asked.push_back(Ask({1, 2}, kNever, oip::testing::TextParameter("temperature", heat)));
  }
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  EXPECT_EQ(replica.batch_rows(), (std::vector<int64_t>{2, 1}));
}

TEST_F(BatcherTest, TheModelNeverSeesReservedParameters) {
  std::string seen;
  TestReplica replica([&seen](ModelTask& task) {
    seen = std::string(task.message().view());
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  Asked asked = Ask({1, 2}, kNever, oip::testing::TextParameter("skysail.context", "ann") +
                                        oip::testing::TextParameter("temperature", "hot"));
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(seen.find("skysail."), std::string::npos);
  EXPECT_NE(seen.find("temperature"), std::string::npos);
}

TEST_F(BatcherTest, AnEqualQueryIsAnsweredFromTheCache) {
  TestReplica replica;
  Publish(Sum({replica.address()}, true));
  Asked first = Ask({1, 2});
  ASSERT_TRUE(Done(first));
  EXPECT_EQ(first.answer().cache, CacheOutcome::kMiss);
  Asked second = Ask({1, 2}, kNever, oip::testing::Text(3, "another id") +
                                         oip::testing::TextParameter("skysail.context", "bob"));
  hand_.loop().RunOnce(0);
  ASSERT_TRUE(second.done()) << "no replica is asked";
  EXPECT_EQ(second.answer().cache, CacheOutcome::kHit);
  EXPECT_EQ(second.floats(), (std::vector<float>{3}));
  Asked other = Ask({2, 1});
  ASSERT_TRUE(Done(other));
  EXPECT_EQ(other.answer().cache, CacheOutcome::kMiss);
  EXPECT_EQ(Count("cache", "hits"), 1u);
}

TEST_F(BatcherTest, WhatTheCacheKnowsIsAnsweredInTheTurnInWhichItIsAsked) {
  TestReplica replica;
  Publish(Sum({replica.address()}, true));
  Asked first = Ask({1, 2});
  ASSERT_TRUE(Done(first));
  Asked again = Ask({1, 2}), other = Ask({3, 4}), once_more = Ask({1, 2});
  hand_.loop().RunOnce(0);
  ASSERT_TRUE(again.done() && once_more.done());
  EXPECT_EQ(again.answer().cache, CacheOutcome::kHit);
  EXPECT_EQ(once_more.floats(), std::vector<float>{3});
  ASSERT_TRUE(Done(other));
  EXPECT_EQ(other.answer().cache, CacheOutcome::kMiss);
}

TEST_F(BatcherTest, WhoLeavesInTheTurnInWhichItCameIsNotLookedUp) {
  TestReplica replica;
  Publish(Sum({replica.address()}, true));
  Asked first = Ask({1, 2});
  ASSERT_TRUE(Done(first));
  Asked left = Ask({1, 2});
  left.Cancel();
  hand_.loop().RunOnce(0);
  ASSERT_TRUE(left.done());
  EXPECT_EQ(left.kind(), ErrorKind::kCancelled);
  EXPECT_EQ(Count("cache", "lookups"), 1u);
}

TEST_F(BatcherTest, ACallThatCameInTheTurnInWhichItsVersionGoesIsAnswered) {
  TestReplica replica;
  Publish(Sum({replica.address()}, true));
  Asked first = Ask({1, 2});
  ASSERT_TRUE(Done(first));
  Asked last = Ask({3, 4});
  ASSERT_TRUE(batcher_.Publish({}, ++revision_).ok());
  ASSERT_TRUE(Done(last));
  EXPECT_EQ(last.floats(), std::vector<float>{7});
}

TEST_F(BatcherTest, EqualQueriesInFlightRunOnce) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}, true));
  std::vector<Asked> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(Ask({1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  asked.push_back(Ask({1, 2}));
  hand_.loop().RunOnce(0);
  asked[0].Cancel();  // the first of them leaves: the others are served all the same
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  EXPECT_EQ(asked[0].kind(), ErrorKind::kCancelled);
  for (size_t i = 1; i < asked.size(); ++i) {
    EXPECT_EQ(asked[i].floats(), (std::vector<float>{3}));
    EXPECT_EQ(asked[i].answer().cache, CacheOutcome::kCoalesced);
  }
  EXPECT_EQ(replica.batch_rows(), (std::vector<int64_t>{1}));
}

TEST_F(BatcherTest, WhoJoinedARunThatFailsIsDispatchedAnew) {
  int runs = 0;  // of the model thread
  TestReplica replica([&runs](ModelTask& task) {
    if (++runs == 1) {
      static_cast<void>(task.Fail(Internal("the first run fails")));
    } else {
      TestReplica::Sum(task);
    }
  });
  Publish(Sum({replica.address()}, true));
  std::vector<Asked> asked;
  for (int i = 0; i < 3; ++i) asked.push_back(Ask({1, 2}));
  ASSERT_TRUE(AllDone(asked));
  EXPECT_EQ(asked[0].kind(), ErrorKind::kInternal);
  EXPECT_EQ(asked[1].floats(), (std::vector<float>{3}));
  EXPECT_EQ(asked[2].floats(), (std::vector<float>{3}));
}

TEST_F(BatcherTest, AnAnswerMayCancelAnotherCallOfItsBatch) {
  Gate gate;
  std::atomic<bool> raise{true};
  TestReplica replica([&](ModelTask& task) {
    gate.Pass();
    if (!raise.exchange(false)) return TestReplica::Sum(task);
    static_cast<void>(task.Fail(Internal("no")));
  });
  Publish(Sum({replica.address()}, true));
  Asked second;
  Asked first = Asked::Ask(batcher_, hand_.loop(), SumRequest("sum", {1, 2}), kNever, false,
                           [&second] { second.Cancel(); });
  second = Ask({3, 4});
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  gate.Open();
  ASSERT_TRUE(Done(first));
  EXPECT_EQ(first.kind(), ErrorKind::kInternal);
  ASSERT_TRUE(Done(second));
  EXPECT_EQ(second.kind(), ErrorKind::kCancelled);
  EXPECT_EQ(replica.batch_rows(), (std::vector<int64_t>{2}));
  Asked again = Ask({3, 4});  // runs anew rather than joining what has ended
  ASSERT_TRUE(Done(again));
  EXPECT_EQ(again.floats(), (std::vector<float>{7}));
  EXPECT_EQ(again.answer().cache, CacheOutcome::kMiss);
}

TEST_F(BatcherTest, AModelThatRaisesFailsThatBatchOnly) {
  TestReplica replica([](ModelTask& task) {
    if (task.rows() == 2) {
      static_cast<void>(task.Fail(Internal("division by zero")));
    } else {
      TestReplica::Sum(task);
    }
  });
  Publish(Sum({replica.address()}, true));
  for (int i = 0; i < 2; ++i) {  // errors are never cached
    Asked bad = Ask({1, 2, 3, 4});
    ASSERT_TRUE(Done(bad));
    EXPECT_EQ(bad.answer().status.ToString(), "Internal: division by zero");
    EXPECT_EQ(bad.answer().cache, CacheOutcome::kNone);
  }
  Asked good = Ask({1, 2});
  ASSERT_TRUE(Done(good));
  EXPECT_EQ(good.kind(), ErrorKind::kOk);
}

TEST_F(BatcherTest, AReplicaThatBreaksTheSignatureIsToldApart) {
  // A server without a signature check of its own.
  net::LoopThreads loops(1);
  class Liar final : public net::UnaryHandler {
   public:
    void Handle(net::UnaryCall call) override {
      call.Respond(Bytes(Slice::Copy(testing::SumResponse({1, 2, 3}))));
    }
  } liar;
  net::GrpcServer server(loops, {});
  server.AddUnary("/inference.GRPCInferenceService/ModelInfer", &liar);
  const auto bound = server.Listen(net::Address::Parse("127.0.0.1:0").value(), true);
  loops.Start();
  server.Start();
  Publish(Sum({bound.value().ToString()}));
  Asked asked = Ask({1, 2});
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.kind(), ErrorKind::kInternal);
  EXPECT_NE(asked.answer().status.message().find("'y'"), std::string::npos);
  server.Shutdown();
}

TEST_F(BatcherTest, WithoutAReplicaCallsFailAtOnce) {
  Publish(Sum({}));
  Asked none = Ask({1, 2});
  ASSERT_TRUE(Done(none));
  EXPECT_EQ(none.kind(), ErrorKind::kUnavailable);
  Publish(Sum({"127.0.0.1:1"}));
  Asked away = Ask({1, 2});
  ASSERT_TRUE(Done(away));
  EXPECT_EQ(away.kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(away.answer().unprocessed);
}

TEST_F(BatcherTest, ACrashedReplicasBatchIsRunElsewhere) {
  Gate gate;
  auto crashing = std::make_unique<TestReplica>([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({crashing->address()}));
  std::vector<Asked> asked;
  for (int i = 0; i < 4; ++i) asked.push_back(Ask({static_cast<float>(i), 1}));
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  TestReplica other;
  Publish(Sum({crashing->address(), other.address()}));
  crashing->Crash();
  ASSERT_TRUE(AllDone(asked));
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(asked[i].floats(), std::vector<float>{static_cast<float>(i) + 1});
  }
  EXPECT_EQ(other.batch_rows(), (std::vector<int64_t>{1, 1, 1, 1})) << "each alone";
  gate.Open();
}

TEST_F(BatcherTest, AReplicaThatComesBackIsUsedAgain) {
  auto first = std::make_unique<TestReplica>();
  const std::string address = first->address();
  Publish(Sum({address}));
  Asked before = Ask({1, 2});
  ASSERT_TRUE(Done(before));
  first.reset();
  ASSERT_TRUE(hand_.Until([&] { return Count("replicas", "ready") == 0; }));
  TestReplica second(&TestReplica::Sum, address);
  ASSERT_TRUE(hand_.Until([&] { return Count("replicas", "ready") == 1; }));
  Asked after = Ask({1, 2});
  ASSERT_TRUE(Done(after));
  EXPECT_EQ(after.kind(), ErrorKind::kOk);
}

// D9: a queue that was emptied by expiry leaves the replica idle.
TEST_F(BatcherTest, ExpiredWorkNeverReachesTheModelAndTheNextIsServed) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  Asked running = Ask({1, 2});
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  std::vector<Asked> late;
  const TimeNs soon = SystemClock::Get().Now() + 30 * kMillisecond;
  for (int i = 0; i < 3; ++i) late.push_back(Ask({5, 6}, soon));
  ASSERT_TRUE(AllDone(late));
  for (const Asked& asked : late) EXPECT_EQ(asked.kind(), ErrorKind::kDeadlineExceeded);
  gate.Open();
  ASSERT_TRUE(Done(running));
  Asked next = Ask({3, 4});
  ASSERT_TRUE(Done(next));
  EXPECT_EQ(next.floats(), (std::vector<float>{7}));
  const std::vector<int64_t> seen = replica.batch_rows();
  EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), int64_t{0}), 2);
}

TEST_F(BatcherTest, AHungReplicaIsTakenOutUntilItAnswersAgain) {
  Gate gate;
  TestReplica hung([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  ServedVersion version = Sum({hung.address()});
  version.objective = 40 * kMillisecond;
  Publish(version);
  Asked lost = Ask({1, 2}, SystemClock::Get().Now() + 60 * kMillisecond);
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  ASSERT_TRUE(Done(lost));
  EXPECT_EQ(lost.kind(), ErrorKind::kDeadlineExceeded);
  ASSERT_TRUE(hand_.Until([&] { return Count("replicas", "ready") == 0; }));
  gate.Open();
  ASSERT_TRUE(hand_.Until([&] { return Count("replicas", "ready") == 1; }));
  Asked next = Ask({1, 2}, SystemClock::Get().Now() + kSecond);
  ASSERT_TRUE(Done(next));
  EXPECT_EQ(next.kind(), ErrorKind::kOk);
}

TEST_F(BatcherTest, RefusesWhatCannotBeInTime) {
  TestReplica replica(TestReplica::Slow(30 * kMillisecond));
  ServedVersion version = Sum({replica.address()});
  version.max_batch_rows = 1;
  Publish(version);
  Asked learned = Ask({1, 2});
  ASSERT_TRUE(Done(learned));
  std::vector<Asked> asked;
  const TimeNs deadline = SystemClock::Get().Now() + 300 * kMillisecond;
  for (int i = 0; i < 40; ++i) asked.push_back(Ask({1, 2}, deadline + i));
  hand_.For(kMillisecond);
  const auto refused = std::count_if(asked.begin(), asked.end(), [](const Asked& each) {
    return each.done() && each.kind() == ErrorKind::kResourceExhausted &&
           each.answer().retry_after > 0;
  });
  EXPECT_GE(refused, 20) << "at once, not at their deadline";
  ASSERT_TRUE(AllDone(asked));
}

// One application's calls wait in a long queue already when two of another come.
TEST_F(BatcherTest, AFloodOfOneApplicationDoesNotKeepAnotherWaiting) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  ServedVersion version = Sum({replica.address()});
  version.max_batch_rows = 4;
  version.shares = {{"flood"}, {"calm"}};
  Publish(version);
  size_t answered = 0, calm_after = 0;
  const auto ask = [&](const std::string& application, const std::function<void()>& then) {
    return Asked::Ask(batcher_, hand_.loop(),
                      SumRequest("sum", {1, 2},
                                 oip::testing::TextParameter("skysail.application", application)),
                      SystemClock::Get().Now() + 20 * kSecond, true, then);
  };
  std::vector<Asked> asked;
  for (int i = 0; i < 60; ++i) asked.push_back(ask("flood", [&answered] { ++answered; }));
  ASSERT_TRUE(hand_.Until([&] { return Count("batching", "in_flight") == 2; }));
  for (int i = 0; i < 2; ++i) asked.push_back(ask("calm", [&] { calm_after = answered; }));
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  EXPECT_LE(calm_after, 16u) << "what ran or was staged, and its half of the next batches";
}

TEST_F(BatcherTest, ACallerMayLowerItsPriorityButNotRaiseIt) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  ServedVersion version = Sum({replica.address()});
  version.max_batch_rows = 1;
  version.shares = {{"usual", 1, batching::Priority::kNormal}};
  Publish(version);
  std::vector<std::string> order;
  const auto ask = [&](const std::string& wish) {
    return Asked::Ask(batcher_, hand_.loop(),
                      SumRequest("sum", {1, 2},
                                 oip::testing::TextParameter("skysail.application", "usual") +
                                     oip::testing::TextParameter("skysail.priority", wish)),
                      SystemClock::Get().Now() + 20 * kSecond, true,
                      [&order, wish] { order.push_back(wish); });
  };
  std::vector<Asked> asked;
  for (int i = 0; i < 2; ++i) asked.push_back(ask("normal"));
  ASSERT_TRUE(hand_.Until([&] { return Count("batching", "in_flight") == 2; }));
  for (const char* wish : {"low", "normal", "high", "normal"}) asked.push_back(ask(wish));
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  EXPECT_EQ(order, (std::vector<std::string>{"normal", "normal", "normal", "high", "normal", "low"}));
}

TEST_F(BatcherTest, RefusalsAreCountedByReasonApplicationAndClass) {
  TestReplica replica(TestReplica::Slow(30 * kMillisecond));
  ServedVersion version = Sum({replica.address()});
  version.max_batch_rows = 1;
  version.shares = {{"sum", 1, batching::Priority::kLow}};
  Publish(version);
  ASSERT_TRUE(Done(Ask({1, 2})));
  std::vector<Asked> asked;
  const TimeNs deadline = SystemClock::Get().Now() + 200 * kMillisecond;
  for (int i = 0; i < 30; ++i) asked.push_back(Ask({1, 2}, deadline));
  ASSERT_TRUE(AllDone(asked));
  const Report report = batcher_.Stats();
  const auto at = [](const Report& in, const char* name) {
    return std::get<Report>(*in.Find(name));
  };
  const Report counts = at(at(at(report, "models"), "sum"), "1");
  const Report lane = at(at(at(counts, "applications"), "sum"), "low");
  const auto refused = static_cast<uint64_t>(std::count_if(
      asked.begin(), asked.end(),
      [](const Asked& each) { return each.kind() == ErrorKind::kResourceExhausted; }));
  EXPECT_GE(refused, 20u);
  EXPECT_EQ(std::get<uint64_t>(*at(lane, "refused").Find("wait_ahead")) +
                std::get<uint64_t>(*at(lane, "refused").Find("too_late")),
            refused);
  EXPECT_EQ(std::get<uint64_t>(*at(at(counts, "batching"), "refused").Find("wait_ahead")),
            std::get<uint64_t>(*at(lane, "refused").Find("wait_ahead")));
}

// D16: refusals while the server has yet to learn how fast the model is.
TEST_F(BatcherTest, TheFirstHundredRequestsOfAFreshServerAreAnswered) {
  TestReplica replica(TestReplica::Slow(5 * kMillisecond));
  Publish(Sum({replica.address()}));
  Asked first = Ask({1, 2});
  ASSERT_TRUE(Done(first));
  std::vector<Asked> asked;
  // One after the other, or four at a time, they would take longer than that.
  const TimeNs deadline = SystemClock::Get().Now() + 100 * kMillisecond;
  for (int i = 0; i < 100; ++i) asked.push_back(Ask({static_cast<float>(i), 2}, deadline));
  ASSERT_TRUE(AllDone(asked));
  for (const Asked& each : asked) EXPECT_EQ(each.answer().status.ToString(), "Ok");
}

TEST_F(BatcherTest, PublishingAgainChangesNothing) {
  TestReplica replica;
  const ServedVersion version = Sum({replica.address()}, true);
  Publish(version);
  ASSERT_TRUE(Done(Ask({1, 2})));
  Publish(version);
  Publish(version);
  Asked again = Ask({1, 2});
  hand_.loop().RunOnce(0);
  ASSERT_TRUE(again.done());
  EXPECT_EQ(again.answer().cache, CacheOutcome::kHit);
  EXPECT_EQ(Count("replicas", "ready"), 1u);
  EXPECT_EQ(Count("", "requests"), 2u);
}

TEST_F(BatcherTest, AnotherDigestForgetsWhatWasCached) {
  TestReplica replica;
  ServedVersion version = Sum({replica.address()}, true);
  Publish(version);
  ASSERT_TRUE(Done(Ask({1, 2})));
  version.digest = "two";
  Publish(version);
  Asked fresh = Ask({1, 2});
  ASSERT_TRUE(Done(fresh));
  EXPECT_EQ(fresh.answer().cache, CacheOutcome::kMiss);
}

TEST_F(BatcherTest, ALargerMostOfRowsHoldsForReplicasThatAreKnown) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  ServedVersion version = Sum({replica.address()});
  version.max_batch_rows = 1;
  Publish(version);
  std::vector<Asked> asked;
  for (int i = 0; i < 2; ++i) asked.push_back(Ask({1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return Count("batching", "in_flight") == 2; }));
  version.max_batch_rows = 64;
  Publish(version);
  for (int i = 0; i < 30; ++i) asked.push_back(Ask({1, 2}));
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  const std::vector<int64_t> rows = replica.batch_rows();
  EXPECT_EQ((std::vector<int64_t>{rows[0], rows[1]}), (std::vector<int64_t>{1, 1}));
  EXPECT_GT(*std::max_element(rows.begin(), rows.end()), 1);
}

TEST_F(BatcherTest, AnotherQuotaOfTheCacheHoldsAtOnce) {
  TestReplica replica;
  ServedVersion version = Sum({replica.address()}, true);
  Publish(version);
  ASSERT_TRUE(Done(Ask({1, 2})));
  version.cache_quota_bytes = 1;  // holds nothing
  Publish(version);
  for (int i = 0; i < 2; ++i) {
    Asked asked = Ask({1, 2});
    ASSERT_TRUE(Done(asked));
    EXPECT_EQ(asked.answer().cache, CacheOutcome::kMiss);
  }
  version.cache_quota_bytes = 0;
  Publish(version);
  ASSERT_TRUE(Done(Ask({1, 2})));
  Asked kept = Ask({1, 2});
  ASSERT_TRUE(Done(kept));
  EXPECT_EQ(kept.answer().cache, CacheOutcome::kHit);
}

TEST_F(BatcherTest, TheGaugeOfWhatWaitsFollowsCancelsAndDeadlines) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  std::vector<Asked> running{Ask({1, 2})};
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  running.push_back(Ask({1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return Count("batching", "in_flight") == 2; }));
  std::vector<Asked> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(Ask({5, 6}, SystemClock::Get().Now() + 300 * kMillisecond));
  }
  ASSERT_TRUE(hand_.Until([&] { return Count("batching", "queued") == 3; }));
  waiting[0].Cancel();
  EXPECT_TRUE(hand_.Until([&] { return Count("batching", "queued") == 2; }, 100 * kMillisecond));
  ASSERT_TRUE(AllDone(waiting));  // at their deadline
  EXPECT_TRUE(hand_.Until([&] { return Count("batching", "queued") == 0; }, 100 * kMillisecond));
  gate.Open();
  ASSERT_TRUE(AllDone(running));
}

TEST_F(BatcherTest, BeforeItsConfigurationHasComeItSaysToTryAgain) {
  Asked early = Ask({1, 2});
  EXPECT_EQ(early.kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(early.answer().unprocessed);
}

TEST_F(BatcherTest, AVersionLeftOutAnswersThoseWhoWait) {
  Gate gate;
  TestReplica replica([&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  Publish(Sum({replica.address()}));
  std::vector<Asked> asked;
  for (int i = 0; i < 3; ++i) asked.push_back(Ask({1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return gate.waiting() == 1; }));
  for (int i = 0; i < 3; ++i) asked.push_back(Ask({1, 2}));
  ASSERT_TRUE(batcher_.Publish({}, 9).ok());
  EXPECT_EQ(Ask({1, 2}).kind(), ErrorKind::kNotFound);
  gate.Open();
  ASSERT_TRUE(AllDone(asked));
  for (const Asked& each : asked) EXPECT_EQ(each.kind(), ErrorKind::kOk);
}

TEST_F(BatcherTest, WithSeveralVersionsOneMustBeNamed) {
  TestReplica replica;
  ServedVersion second = Sum({replica.address()});
  second.version = "2";
  ASSERT_TRUE(batcher_.Publish({Sum({replica.address()}), second}, 1).ok());
  EXPECT_EQ(Ask({1, 2}).kind(), ErrorKind::kFailedPrecondition);
  Asked named = Asked::Ask(batcher_, hand_.loop(), SumRequest("sum", {1, 2}, {}, "1"));
  ASSERT_TRUE(Done(named));
  EXPECT_EQ(named.kind(), ErrorKind::kOk);
  EXPECT_EQ(batcher_.Publish({second, second}, 2).kind(), ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace skysail::services
