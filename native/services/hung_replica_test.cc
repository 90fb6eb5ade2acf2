// A replica whose model does not come back, while another one could answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "services/batcher.h"
#include "services/replica_testing.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::Gate;
using testing::HandLoop;
using testing::SumRequest;
using testing::TestReplica;

class HungReplicaTest : public ::testing::Test {
 protected:
  void Publish(const std::vector<std::string>& addresses) {
    ServedVersion version;
    version.model = "sum";
    version.version = "1";
    version.digest = "one";
    version.signature = testing::SumSignature();
    version.objective = 10 * kSecond;
    version.cache = false;
    for (const std::string& address : addresses) version.replicas.push_back({address, address});
    ASSERT_TRUE(batcher_.Publish({version}, ++revision_).ok());
    ASSERT_TRUE(hand_.Until([&] { return Count("ready") == addresses.size(); }));
  }
  Asked Ask(float value) {
    return Asked::Ask(batcher_, hand_.loop(), SumRequest("sum", {value, 1}), kNever);
  }
  bool Done(const Asked& asked) {
    return hand_.Until([&asked] { return asked.done(); });
  }
  uint64_t Count(const std::string& name) {
    const Report report = batcher_.Stats();
    const auto& models = std::get<Report>(*report.Find("models"));
    const auto& sum = std::get<Report>(*std::get<Report>(*models.Find("sum")).Find("1"));
    return std::get<uint64_t>(*std::get<Report>(*sum.Find("replicas")).Find(name));
  }
  int64_t revision_ = 0;
  HandLoop hand_;
  Batcher batcher_{hand_.loops(), {}};
};

// Declared after the replicas, so that a test that fails ends nevertheless.
struct OpensAtEnd {
  ~OpensAtEnd() { gate.Open(); }
  Gate& gate;
};

// Hangs while the gate is closed.
TestReplica::Model Behind(Gate& gate) {
  return [&gate](ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  };
}

TEST_F(HungReplicaTest, WhatItHoldsIsAnsweredByAnotherLongBeforeTheDeadline) {
  Gate gate;
  gate.Open();
  TestReplica one(Behind(gate)), other;
  OpensAtEnd guard{gate};
  Publish({one.address(), other.address()});
  for (int i = 0; i < 4; ++i) {
    Asked asked = Ask(1);
    ASSERT_TRUE(Done(asked));
  }
  gate.Close();
  std::vector<Asked> asked;
  for (int i = 0; gate.waiting() == 0 && i < 100; ++i) {
    asked.push_back(Ask(static_cast<float>(i)));
    hand_.For(10 * kMillisecond);
  }
  ASSERT_EQ(gate.waiting(), 1);
  const TimeNs began = SystemClock::Get().Now();
  for (size_t i = 0; i < asked.size(); ++i) {
    ASSERT_TRUE(Done(asked[i]));
    ASSERT_EQ(asked[i].kind(), ErrorKind::kOk);
    EXPECT_EQ(asked[i].floats(), std::vector<float>{static_cast<float>(i) + 1});
  }
  EXPECT_LT(SystemClock::Get().Now() - began, 4 * kSecond) << "of an objective of 10 s";
  EXPECT_EQ(Count("ready"), 1u);
  EXPECT_EQ(Count("hung"), 1u);
  gate.Open();
  EXPECT_TRUE(hand_.Until([&] { return Count("ready") == 2; }));
}

TEST_F(HungReplicaTest, TheOnlyOneKeepsWhatItHoldsAndIsBackWhenItAnswers) {
  Gate gate;
  TestReplica alone(Behind(gate));
  OpensAtEnd guard{gate};
  Publish({alone.address()});
  Asked asked = Ask(2);
  ASSERT_TRUE(hand_.Until([&] { return Count("ready") == 0; }));
  EXPECT_FALSE(asked.done());
  gate.Open();
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.floats(), std::vector<float>{3});
  EXPECT_TRUE(hand_.Until([&] { return Count("ready") == 1; }));
}

// What makes one replica hang would make each of them hang.
TEST_F(HungReplicaTest, ARequestThatHangsTwoReplicasIsNotPutToAThird) {
  Gate gate;
  const TestReplica::Model model = [&gate](ModelTask& task) {
    oip::RequestView view;
    static_cast<void>(oip::ParseRequest(task.message().view(), &view));
    if (testing::ReadFloats(view.inputs[0].raw)[0] == -1) gate.Pass();
    TestReplica::Sum(task);
  };
  TestReplica first(model), second(model), third(model);
  OpensAtEnd guard{gate};
  Publish({first.address(), second.address(), third.address()});
  Asked poison = Ask(-1);
  ASSERT_TRUE(hand_.Until([&] { return Count("hung") == 2; }));
  Asked next = Ask(4);
  ASSERT_TRUE(Done(next));
  EXPECT_EQ(next.floats(), std::vector<float>{5});
  hand_.For(300 * kMillisecond);
  EXPECT_EQ(gate.waiting(), 2);
  EXPECT_EQ(Count("ready"), 1u);
  EXPECT_FALSE(poison.done());
  gate.Open();
  ASSERT_TRUE(Done(poison));
  EXPECT_EQ(poison.floats(), std::vector<float>{0});
}

}  // namespace
}  // namespace skysail::services
