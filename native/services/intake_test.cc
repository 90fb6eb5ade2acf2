#include "services/intake.h"

#include <gtest/gtest.h>

#include <string>

#include "services/answer.h"
#include "services/prediction_id.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using oip::testing::TextParameter;
using testing::SumRequest;

constexpr char kHex[] = "00112233445566778899aabbccddeeff";

Result<std::unique_ptr<InferRequest>> Read(const std::string& message, bool inner) {
  return ReadRequest(Slice::Copy(message), inner);
}

TEST(IntakeTest, AnInnerCallerIsBelieved) {
  auto read = Read(SumRequest("sum", {1, 2},
                              TextParameter("skysail.application", "shop") +
                                  TextParameter("skysail.context", "ann") +
                                  TextParameter("skysail.prediction", kHex),
                              "7"),
                   true);
  ASSERT_TRUE(read.ok());
  const InferRequest& request = **read;
  EXPECT_EQ(request.application, "shop");
  EXPECT_EQ(request.context, "ann");
  EXPECT_EQ(request.version, "7");
  char hex[kPredictionHexDigits];
  PredictionToHex(request.prediction, hex);
  EXPECT_EQ(std::string(hex, sizeof(hex)), kHex);
}

TEST(IntakeTest, APublicCallerMaySetTheContextAndNothingElse) {
  auto read = Read(SumRequest("sum", {1, 2},
                              TextParameter("skysail.application", "shop") +
                                  TextParameter("skysail.context", "ann") +
                                  TextParameter("skysail.prediction", kHex) +
                                  TextParameter("temperature", "hot")),
                   false);
  ASSERT_TRUE(read.ok());
  const InferRequest& request = **read;
  EXPECT_EQ(request.application, "sum");
  EXPECT_EQ(request.context, "ann");
  EXPECT_TRUE(IsMinted(request.prediction));
  const std::string message(request.message.view());
  EXPECT_EQ(message.find("skysail.application"), std::string::npos) << "a later hop would believe it";
  EXPECT_EQ(message.find(kHex), std::string::npos);
  EXPECT_NE(message.find("temperature"), std::string::npos);
  EXPECT_EQ(testing::ReadFloats(request.view.inputs[0].raw), (std::vector<float>{1, 2}));
}

TEST(IntakeTest, SaysWhatIsWrong) {
  EXPECT_EQ(Read("\x0f\xff", false).status().kind(), ErrorKind::kInvalidArgument);
  EXPECT_EQ(Read(SumRequest("", {1, 2}), false).status().kind(), ErrorKind::kInvalidArgument);
  const auto number =
      Read(SumRequest("sum", {1, 2}, oip::testing::IntParameter("skysail.context", 5)), false);
  EXPECT_EQ(number.status().message(), "parameter 'skysail.context' must be a string");
  EXPECT_FALSE(
      Read(SumRequest("sum", {1, 2}, TextParameter("skysail.prediction", "12")), true).ok());
}

TEST(IntakeTest, AnyCallerMayStateAPriority) {
  for (const bool inner : {false, true}) {
    auto low = Read(SumRequest("sum", {1, 2}, TextParameter("skysail.priority", "low")), inner);
    ASSERT_TRUE(low.ok());
    EXPECT_EQ((*low)->priority_wish, batching::Priority::kLow);
    const auto wrong =
        Read(SumRequest("sum", {1, 2}, TextParameter("skysail.priority", "urgent")), inner);
    EXPECT_EQ(wrong.status().message(),
              "parameter 'skysail.priority' must be high, normal or low, got 'urgent'");
  }
  auto unsaid = Read(SumRequest("sum", {1, 2}), false);
  EXPECT_EQ((*unsaid)->priority_wish, batching::Priority::kHigh) << "its application's decides";
}

TEST(IntakeTest, EachCallGetsAPredictionOfItsOwn) {
  auto first = Read(SumRequest("sum", {1, 2}), false), second = Read(SumRequest("sum", {1, 2}), false);
  EXPECT_NE((*first)->prediction, (*second)->prediction);
}

TEST(AnswerTest, WhatIsEncodedIsDecoded) {
  InferResponse response;
  const Slice model_answer = Slice::Copy(testing::SumResponse({3, 7}));
  response = DecodeAnswer(model_answer);
  response.model = "sum";
  response.version = "4";
  response.cache = CacheOutcome::kCoalesced;
  response.is_default = true;
  response.reason = "why not";
  PredictionId id;
  ASSERT_TRUE(PredictionFromHex(kHex, &id));
  const Slice wire = EncodeAnswer({"shop", "call 1", id}, response).Flatten();

  oip::ResponseView view;
  ASSERT_TRUE(oip::ParseResponse(wire.view(), &view).ok());
  EXPECT_EQ(view.model_name, "shop") << "echoed as called";
  EXPECT_EQ(view.model_version, "4") << "what answered";
  EXPECT_EQ(view.id, "call 1");
  const InferResponse again = DecodeAnswer(wire);
  EXPECT_EQ(again.model, "sum");
  EXPECT_EQ(again.version, "4");
  EXPECT_EQ(again.cache, CacheOutcome::kCoalesced);
  EXPECT_TRUE(again.is_default);
  EXPECT_EQ(again.reason, "why not");
  EXPECT_EQ(testing::PayloadFloats(again.payload), (std::vector<float>{3, 7}));
}

TEST(AnswerTest, ABrokenAnswerIsAnError) {
  EXPECT_EQ(DecodeAnswer(Slice::Static("\x0f")).status.kind(), ErrorKind::kInternal);
}

}  // namespace
}  // namespace skysail::services
