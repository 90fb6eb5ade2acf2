#include "services/hop_frame.h"

#include <gtest/gtest.h>

#include <string>

#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::SumRequest;

struct Nothing final : InferCompletion {
  void Done(InferResponse) override {}
};

class HopFrameTest : public ::testing::Test {
 protected:
  InferCall Call(TimeNs deadline = kNever) {
    auto request = ReadRequest(Slice::Copy(SumRequest("shop", {1, 2})), false);
    request.value()->model = "sum";
    request.value()->version = "5";
    return InferCall(std::move(request.value()), deadline, std::make_shared<CallScope>(loop_),
                     std::make_unique<Nothing>());
  }
  static InferResponse Answer() {
    InferResponse response;
    response.payload.Append(Slice::Static("first"));
    response.payload.Append(Slice::Static("second"));
    response.model = "sum";
    response.version = "5";
    response.cache = CacheOutcome::kCoalesced;
    response.is_default = true;
    response.reason = "late";
    response.timing.served_us = 250;
    response.timing.replica = "0-a";
    return response;
  }
  net::EventLoop loop_;
};

TEST_F(HopFrameTest, ARequestIsReadAsItWasWritten) {
  InferCall call = Call(5 * kSecond);
  call.trace.trace = {1, 2};
  call.trace.span = 3;
  call.trace.flags = TraceContext::kSampled;
  call.trace.state = "vendor=1";
  const uint64_t id = uint64_t{7} << 32 | 9;
  const Slice frame = EncodeHopRequest(id, call, 2 * kSecond).Flatten();
  HopRequestView view;
  ASSERT_TRUE(ParseHopRequest(frame.view(), &view).ok());
  EXPECT_EQ(view.call_id, id);
  EXPECT_FALSE(view.cancel);
  EXPECT_EQ(view.timeout, 3 * kSecond);
  EXPECT_EQ(view.trace.trace, (telemetry::TraceId{1, 2}));
  EXPECT_EQ(view.trace.span, 3u);
  EXPECT_TRUE(view.trace.sampled());
  EXPECT_EQ(view.trace.state, "vendor=1");
  EXPECT_EQ(view.application, "shop");
  EXPECT_EQ(view.model, "sum");
  EXPECT_EQ(view.version, "5");
  EXPECT_EQ(view.prediction, call.request().prediction);
  EXPECT_EQ(view.request, call.request().message.view());
}

TEST_F(HopFrameTest, NoDeadlineAndAPassedOneDiffer) {
  HopRequestView never, passed;
  ASSERT_TRUE(ParseHopRequest(EncodeHopRequest(1, Call(), 5).Flatten().view(), &never).ok());
  ASSERT_TRUE(ParseHopRequest(EncodeHopRequest(1, Call(3), 5).Flatten().view(), &passed).ok());
  EXPECT_EQ(never.timeout, kNever);
  EXPECT_EQ(passed.timeout, 0);
}

TEST_F(HopFrameTest, ACancelNamesItsCall) {
  HopRequestView view;
  ASSERT_TRUE(ParseHopRequest(EncodeHopCancel(12).Flatten().view(), &view).ok());
  EXPECT_EQ(view.call_id, 12u);
  EXPECT_TRUE(view.cancel);
}

TEST_F(HopFrameTest, AnAnswerIsReadAsItWasWritten) {
  uint64_t id = 0;
  InferResponse read;
  ASSERT_TRUE(ParseHopResponse(EncodeHopResponse(3, Answer()).Flatten(), &id, &read).ok());
  EXPECT_EQ(id, 3u);
  EXPECT_TRUE(read.status.ok());
  EXPECT_EQ(read.payload.ToString(), "firstsecond");
  EXPECT_EQ(read.model, "sum");
  EXPECT_EQ(read.version, "5");
  EXPECT_EQ(read.cache, CacheOutcome::kCoalesced);
  EXPECT_TRUE(read.is_default);
  EXPECT_EQ(read.reason, "late");
  EXPECT_EQ(read.timing.served_us, 250u);
  EXPECT_EQ(read.timing.replica, "0-a");
}

TEST_F(HopFrameTest, EveryKindOfErrorComesThrough) {
  for (int kind = 1; kind < kErrorKinds; ++kind) {
    InferResponse error = InferResponse::Error({static_cast<ErrorKind>(kind), "why"});
    error.unprocessed = true;
    error.retry_after = 4 * kMillisecond;
    error.timing.queue_us = 9;
    uint64_t id = 0;
    InferResponse read;
    ASSERT_TRUE(ParseHopResponse(EncodeHopResponse(0, std::move(error)).Flatten(), &id, &read).ok());
    EXPECT_EQ(read.status.kind(), static_cast<ErrorKind>(kind));
    EXPECT_EQ(read.status.message(), "why");
    EXPECT_TRUE(read.unprocessed);
    EXPECT_EQ(read.retry_after, 4 * kMillisecond);
    EXPECT_EQ(read.timing.queue_us, 9u);
  }
}

TEST_F(HopFrameTest, FramesCutAnywhereAreRefusedOrReadInPart) {
  const Slice request = EncodeHopRequest(5, Call(kSecond), 0).Flatten();
  const Slice answer = EncodeHopResponse(5, Answer()).Flatten();
  // The last field of both is the longest: cut inside it, the frame is malformed.
  HopRequestView view;
  EXPECT_FALSE(ParseHopRequest(request.view().substr(0, request.size() - 1), &view).ok());
  for (size_t n = 0; n < request.size(); ++n) {
    HopRequestView part;
    const Slice cut = Slice::Copy(request.view().substr(0, n));
    static_cast<void>(ParseHopRequest(cut.view(), &part));
  }
  uint64_t id = 0;
  InferResponse response;
  EXPECT_FALSE(ParseHopResponse(answer.Sub(0, answer.size() - 1), &id, &response).ok());
  for (size_t n = 0; n < answer.size(); ++n) {
    InferResponse part;
    static_cast<void>(ParseHopResponse(Slice::Copy(answer.view().substr(0, n)), &id, &part));
  }
}

TEST_F(HopFrameTest, WhatOurServicesNeverSendIsRefused) {
  HopRequestView view;
  EXPECT_EQ(ParseHopRequest("\x4a\x01x", &view).kind(), ErrorKind::kInternal) << "a short prediction";
  EXPECT_EQ(ParseHopRequest("\x52\x01x", &view).kind(), ErrorKind::kInternal) << "a short trace";
  EXPECT_EQ(ParseHopRequest("\x2a\x01=", &view).kind(), ErrorKind::kInternal) << "a state";
  const Slice far = EncodeHopCancel(kMaxHopCalls).Flatten();
  EXPECT_EQ(ParseHopRequest(far.view(), &view).kind(), ErrorKind::kInternal) << "a far slot";
  uint64_t id = 0;
  InferResponse response;
  EXPECT_FALSE(ParseHopResponse(Slice::Static("\x40\x09"), &id, &response).ok()) << "a cache outcome";
  EXPECT_FALSE(ParseHopResponse(Slice::Static("\x5a\x01\x08"), &id, &response).ok()) << "a timing";
}

}  // namespace
}  // namespace skysail::services
