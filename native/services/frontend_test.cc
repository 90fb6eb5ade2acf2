#include "services/frontend.h"

#include <gtest/gtest.h>

#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::HandLoop;
using testing::HeldService;
using testing::SumRequest;
using testing::SumResponse;
using testing::SumSignature;

Application SumApplication(TimeNs objective = kSecond) {
  Application application;
  application.name = "shop";
  application.objective = objective;
  application.signature = SumSignature();
  application.models = {"sum"};
  return application;
}
Application WithDefault(Application application) {
  application.default_output = Slice::Copy(SumResponse({-1}));
  return application;
}

class FrontendTest : public ::testing::Test {
 protected:
  Asked Ask(const std::string& message, TimeNs deadline = kNever) {
    return Asked::Ask(frontend_, hand_.loop(), message, deadline);
  }
  void Publish(Application application) {
    ASSERT_TRUE(frontend_.Publish({std::move(application)}, 1).ok());
  }
  HandLoop hand_;
  std::shared_ptr<HeldService> next_ = std::make_shared<HeldService>();
  Frontend frontend_{hand_.loops(), next_};
};

TEST_F(FrontendTest, PassesAModelsAnswerOn) {
  Publish(SumApplication());
  Asked asked = Ask(SumRequest("shop", {1, 2, 3, 4}));
  ASSERT_EQ(next_->size(), 1u);
  EXPECT_EQ(next_->request(0).rows, 2);
  next_->AnswerSums(0, {3, 7});
  ASSERT_TRUE(asked.done());
  EXPECT_EQ(asked.floats(), (std::vector<float>{3, 7}));
  EXPECT_FALSE(asked.answer().is_default);
}

TEST_F(FrontendTest, AnObjectiveWithoutEndIsNoDeadline) {
  Publish(SumApplication(kNever));
  Ask(SumRequest("shop", {1, 2}));
  EXPECT_EQ(next_->call(0).deadline(), kNever);
  next_->AnswerSums(0, {3});
}

TEST_F(FrontendTest, BeforeItsConfigurationHasComeItSaysToTryAgain) {
  Asked early = Ask(SumRequest("shop", {1, 2}));
  EXPECT_EQ(early.kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(early.answer().unprocessed);
}

TEST_F(FrontendTest, NamesAnUnknownApplication) {
  Publish(SumApplication());
  Asked asked = Ask(SumRequest("shoe", {1, 2}));
  EXPECT_EQ(asked.kind(), ErrorKind::kNotFound);
  EXPECT_NE(asked.answer().status.message().find("'shoe'"), std::string::npos);
  EXPECT_EQ(next_->size(), 0u);
}

TEST_F(FrontendTest, NeverAnswersAWrongRequestWithTheDefault) {
  Publish(WithDefault(SumApplication()));
  Asked asked = Ask(oip::testing::Request(
      "shop", "", {{"x", "FP32", {1, 3}, testing::Floats({1, 2, 3})}}));
  EXPECT_EQ(asked.kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(next_->size(), 0u) << "the model must never see it";
}

TEST_F(FrontendTest, TheObjectiveIsTheDeadlineUnlessTheCallersIsSooner) {
  Publish(SumApplication(100 * kMillisecond));
  const TimeNs now = SystemClock::Get().Now();
  Ask(SumRequest("shop", {1, 2}));
  Ask(SumRequest("shop", {1, 2}), now + 10 * kMillisecond);
  EXPECT_GE(next_->call(0).deadline(), now + 100 * kMillisecond);
  EXPECT_LE(next_->call(0).deadline(), SystemClock::Get().Now() + 100 * kMillisecond);
  EXPECT_EQ(next_->call(1).deadline(), now + 10 * kMillisecond);
  next_->AnswerSums(0, {3});
  next_->AnswerSums(1, {3});
}

// D20: default outputs cannot be told from failures.
TEST_F(FrontendTest, AFailureBehindIsAnsweredWithTheDefaultAndItsReason) {
  Publish(WithDefault(SumApplication()));
  Asked asked = Ask(SumRequest("shop", {1, 2, 3, 4, 5, 6}));
  next_->Answer(0, InferResponse::Error(Unavailable("no replica")));
  EXPECT_EQ(asked.kind(), ErrorKind::kOk);
  EXPECT_TRUE(asked.answer().is_default);
  EXPECT_EQ(asked.answer().reason, "Unavailable: no replica");
  EXPECT_EQ(asked.floats(), (std::vector<float>{-1, -1, -1})) << "one for each row asked";
}

TEST_F(FrontendTest, AFailureIsToldWhenThereIsNoDefault) {
  Publish(SumApplication());
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  InferResponse failure = InferResponse::Error(ResourceExhausted("full"));
  failure.retry_after = 7 * kMillisecond;
  next_->Answer(0, std::move(failure));
  EXPECT_EQ(asked.kind(), ErrorKind::kResourceExhausted);
  EXPECT_EQ(asked.answer().retry_after, 7 * kMillisecond);
}

TEST_F(FrontendTest, AnswersJustBeforeTheDeadlineAndGivesTheRestUp) {
  Publish(WithDefault(SumApplication(50 * kMillisecond)));
  const TimeNs began = SystemClock::Get().Now();
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return asked.done(); }));
  EXPECT_LT(SystemClock::Get().Now(), began + 50 * kMillisecond);
  EXPECT_TRUE(asked.answer().is_default);
  EXPECT_EQ(asked.answer().reason.rfind("DeadlineExceeded", 0), 0u);
  EXPECT_TRUE(next_->cancelled(0));
}

TEST_F(FrontendTest, WithoutADefaultTheDeadlineIsTold) {
  Publish(SumApplication(20 * kMillisecond));
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  ASSERT_TRUE(hand_.Until([&] { return asked.done(); }));
  EXPECT_EQ(asked.kind(), ErrorKind::kDeadlineExceeded);
  EXPECT_TRUE(next_->cancelled(0));
}

TEST_F(FrontendTest, ACallerWhoLeavesIsNotAnsweredWithTheDefault) {
  Publish(WithDefault(SumApplication()));
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  asked.Cancel();
  ASSERT_TRUE(asked.done());
  EXPECT_EQ(asked.kind(), ErrorKind::kCancelled);
  EXPECT_TRUE(next_->cancelled(0));
}

TEST_F(FrontendTest, AnApplicationLeftOutIsGoneAndCallsInFlightEndWell) {
  Publish(SumApplication());
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  ASSERT_TRUE(frontend_.Publish({}, 2).ok());
  EXPECT_EQ(Ask(SumRequest("shop", {1, 2})).kind(), ErrorKind::kNotFound);
  next_->AnswerSums(0, {3});
  EXPECT_EQ(asked.kind(), ErrorKind::kOk);
}

TEST_F(FrontendTest, RefusesAMalformedSetAndKeepsTheOldOne) {
  Publish(SumApplication());
  Application broken = SumApplication();
  broken.default_output = Slice::Static("\x0f");
  EXPECT_EQ(frontend_.Publish({broken}, 2).kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(frontend_.Publish({SumApplication(), SumApplication()}, 2).kind(),
            ErrorKind::kInvalidArgument);
  Asked asked = Ask(SumRequest("shop", {1, 2}));
  ASSERT_EQ(next_->size(), 1u);
  next_->AnswerSums(0, {3});
}

}  // namespace
}  // namespace skysail::services
