#include "services/model_server.h"

#include <gtest/gtest.h>

#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::HandLoop;
using testing::SumRequest;
using testing::SumResponse;

class ModelServerTest : public ::testing::Test {
 protected:
  Asked Ask(const std::vector<float>& values = {1, 2}, TimeNs deadline = kNever,
            std::string_view model = "sum", std::string_view version = {}) {
    return Asked::Ask(server_, hand_.loop(), SumRequest(model, values, {}, version), deadline);
  }
  // The test plays the model.
  std::shared_ptr<ModelTask> Next() { return server_.Next(0); }
  Status Answer(ModelTask& task, const std::vector<float>& sums) {
    return task.Respond(Slice::Copy(SumResponse(sums)));
  }
  bool Done(const Asked& asked) {
    return hand_.Until([&asked] { return asked.done(); });
  }
  HandLoop hand_;
  ModelServer server_{{"sum", "1", testing::SumSignature(), 2}};
};

TEST_F(ModelServerTest, HandsOutCallsInOrderAndTheirAnswersBack) {
  Asked first = Ask({1, 2, 3, 4}), second = Ask({5, 6});
  const auto task = Next();
  ASSERT_NE(task, nullptr);
  EXPECT_EQ(task->rows(), 2);
  ASSERT_TRUE(Answer(*task, {3, 7}).ok());
  ASSERT_TRUE(Done(first));
  EXPECT_EQ(first.floats(), (std::vector<float>{3, 7}));
  EXPECT_EQ(first.answer().version, "1");
  EXPECT_FALSE(second.done());
  ASSERT_TRUE(Answer(*Next(), {11}).ok());
  ASSERT_TRUE(Done(second));
  EXPECT_EQ(Next(), nullptr);
}

TEST_F(ModelServerTest, ASecondAnswerIsRefused) {
  Asked asked = Ask();
  const auto task = Next();
  ASSERT_TRUE(Answer(*task, {3}).ok());
  EXPECT_EQ(task->Fail(Internal("again")).kind(), ErrorKind::kFailedPrecondition);
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.kind(), ErrorKind::kOk);
}

TEST_F(ModelServerTest, WhatTheSignatureDoesNotPromiseIsNotPassedOn) {
  for (const std::vector<float>& sums : {std::vector<float>{}, std::vector<float>{1, 2}}) {
    Asked asked = Ask();
    ASSERT_TRUE(Answer(*Next(), sums).ok());
    ASSERT_TRUE(Done(asked));
    EXPECT_EQ(asked.kind(), ErrorKind::kInternal);
  }
  Asked garbage = Ask();
  ASSERT_TRUE(Next()->Respond(Slice::Static("\x0f")).ok());
  ASSERT_TRUE(Done(garbage));
  EXPECT_EQ(garbage.kind(), ErrorKind::kInternal);
}

TEST_F(ModelServerTest, RefusesWhatIsNotItsOwn) {
  EXPECT_EQ(Ask({1, 2}, kNever, "other").kind(), ErrorKind::kNotFound);
  EXPECT_EQ(Ask({1, 2}, kNever, "sum", "2").kind(), ErrorKind::kNotFound);
  EXPECT_EQ(Ask({}).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(Next(), nullptr) << "the model never sees them";
}

TEST_F(ModelServerTest, RefusesMoreThanMayWait) {
  Asked first = Ask(), second = Ask(), third = Ask();
  ASSERT_TRUE(Done(third));
  EXPECT_EQ(third.kind(), ErrorKind::kResourceExhausted);
  EXPECT_TRUE(third.answer().unprocessed);
  server_.Close();
  ASSERT_TRUE(Done(second));
  EXPECT_EQ(first.kind(), ErrorKind::kUnavailable);
}

TEST_F(ModelServerTest, ExpiredAndAbandonedCallsNeverReachTheModel) {
  Asked expired = Ask({1, 2}, SystemClock::Get().Now() - 1), left = Ask({3, 4});
  left.Cancel();
  EXPECT_EQ(left.kind(), ErrorKind::kCancelled);
  EXPECT_EQ(Next(), nullptr);
  ASSERT_TRUE(Done(expired));
  EXPECT_EQ(expired.kind(), ErrorKind::kDeadlineExceeded);
}

TEST_F(ModelServerTest, ACallerWhoLeavesWhileTheModelRunsIsLetGo) {
  Asked asked = Ask();
  const auto task = Next();
  asked.Cancel();
  EXPECT_EQ(asked.kind(), ErrorKind::kCancelled);
  EXPECT_TRUE(task->cancelled());
  EXPECT_TRUE(Answer(*task, {3}).ok()) << "the model need not know";
  hand_.For(kMillisecond);
  EXPECT_EQ(asked.kind(), ErrorKind::kCancelled);
}

TEST(ModelServerHealth, AModelIsStuckWhileItComputesWhatNobodyWaitsFor) {
  ManualClock clock(kSecond);
  HandLoop hand;
  ModelServer server({"sum", "1", testing::SumSignature(), 2}, clock);
  const auto ask = [&](TimeNs deadline) {
    return Asked::Ask(server, hand.loop(), SumRequest("sum", {1, 2}), deadline);
  };
  EXPECT_TRUE(server.Healthy());

  const Asked late = ask(2 * kSecond);
  std::shared_ptr<ModelTask> task = server.Next(0);
  clock.Advance(kSecond + ModelServer::kStuckAfter - 1);
  EXPECT_TRUE(server.Healthy()) << "it may come back any moment";
  clock.Advance(1);
  EXPECT_FALSE(server.Healthy());
  ASSERT_TRUE(task->Respond(Slice::Copy(SumResponse({3}))).ok());
  EXPECT_TRUE(server.Healthy()) << "it came back";
  ASSERT_TRUE(hand.Until([&late] { return late.done(); }));

  Asked patient = ask(kNever);
  task = server.Next(0);
  clock.Advance(3600 * kSecond);
  EXPECT_TRUE(server.Healthy()) << "somebody waits";
  patient.Cancel();
  EXPECT_TRUE(server.Healthy());
  clock.Advance(ModelServer::kStuckAfter);
  EXPECT_FALSE(server.Healthy());
  EXPECT_EQ(server.Next(0), nullptr);
  EXPECT_TRUE(server.Healthy()) << "the model's thread asks for more";

  server.Resign();
  EXPECT_FALSE(server.Healthy());
}

}  // namespace
}  // namespace skysail::services
