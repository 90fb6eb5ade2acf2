#include "services/remote_service.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "net/client_channel.h"
#include "net/grpc_server.h"
#include "oip/transform.h"
#include "services/infer_endpoint.h"
#include "services/reserved.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::HandLoop;
using testing::SumRequest;

// A service in "another process": a server on a thread of its own.
class Instance {
 public:
  using Answer = std::function<void(InferCall)>;
  explicit Instance(Answer answer, TimeNs drain_timeout = 0, bool inner = true)
      : loops_(1), endpoint_(std::make_shared<Scripted>(this)) {
    answer_ = std::move(answer);
    net::ServerOptions options;
    options.drain_timeout = drain_timeout;
    server_ = std::make_unique<net::GrpcServer>(loops_, options);
    endpoint_.AttachTo(*server_);
    address_ = server_->Listen(net::Address::Parse("127.0.0.1:0").value(), inner)
                   .value()
                   .ToString();
    loops_.Start();
    server_->Start();
  }
  ~Instance() {
    server_->Shutdown();
    loops_.Stop();
  }
  const std::string& address() const { return address_; }
  int calls() const { return calls_.load(); }
  void Stop() { server_->Shutdown(); }
  // On its loop's thread.
  void Run(const std::function<void()>& work) {
    std::promise<void> done;
    loops_.loop(0).Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  struct Scripted final : InferService {
    explicit Scripted(Instance* instance) : instance(instance) {}
    void Infer(InferCall call) override {
      ++instance->calls_;
      instance->answer_(std::move(call));
    }
    Instance* instance;
  };
  net::LoopThreads loops_;
  InferEndpoint endpoint_;
  std::unique_ptr<net::GrpcServer> server_;
  Answer answer_;
  std::string address_;
  std::atomic<int> calls_{0};
};

void AnswerThree(InferCall call) {
  InferResponse response;
  const Slice message = Slice::Copy(testing::SumResponse({3}));
  oip::ResponseView view;
  ASSERT_TRUE(oip::ParseResponse(message.view(), &view).ok());
  for (const std::string_view span : view.visible) response.payload.Append(message.Sub(span));
  response.model = "sum";
  response.version = "5";
  response.cache = CacheOutcome::kHit;
  call.Finish(std::move(response));
}

// With each call in a stream of its own, and packed.
class RemoteServiceTest : public ::testing::TestWithParam<bool> {
 protected:
  void Publish(std::vector<std::string> addresses) {
    std::vector<Endpoint> endpoints;
    for (const std::string& address : addresses) {
      endpoints.push_back({"at " + address, address, GetParam()});
    }
    ASSERT_TRUE(remote_.Publish(endpoints, 1).ok());
  }
  Asked Ask(TimeNs deadline = kNever, std::string_view model = "shop") {
    return Asked::Ask(remote_, hand_.loop(), SumRequest(model, {1, 2}), deadline);
  }
  bool Done(const Asked& asked) {
    return hand_.Until([&asked] { return asked.done(); });
  }
  HandLoop hand_;
  RemoteService remote_{hand_.loops()};
};
INSTANTIATE_TEST_SUITE_P(Hops, RemoteServiceTest, ::testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Packed" : "Unary");
});

TEST_P(RemoteServiceTest, CarriesAnAnswerBack) {
  Instance instance(&AnswerThree);
  Publish({instance.address()});
  Asked asked = Ask();
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.answer().status.ToString(), "Ok");
  EXPECT_EQ(asked.floats(), (std::vector<float>{3}));
  EXPECT_EQ(asked.answer().model, "sum");
  EXPECT_EQ(asked.answer().version, "5");
  EXPECT_EQ(asked.answer().cache, CacheOutcome::kHit);
}

TEST_P(RemoteServiceTest, PassesOnWhatWasDecided) {
  std::string application, model, version;
  TimeNs left = 0;
  Instance instance([&](InferCall call) {
    application = call.request().application;
    model = call.request().view.model_name;
    version = call.request().version;
    left = call.deadline() - SystemClock::Get().Now();
    AnswerThree(std::move(call));
  });
  Publish({instance.address()});
  // A selector would set these.
  struct Deciding final : InferService {
    explicit Deciding(InferService& next) : next(next) {}
    void Infer(InferCall call) override {
      call.request().model = "sum";
      call.request().version = "5";
      next.Infer(std::move(call));
    }
    InferService& next;
  } deciding(remote_);
  Asked asked = Asked::Ask(deciding, hand_.loop(), SumRequest("shop", {1, 2}),
                           SystemClock::Get().Now() + 3 * kSecond);
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(application, "shop");
  EXPECT_EQ(model, "sum");
  EXPECT_EQ(version, "5");
  EXPECT_GT(left, kSecond);
  EXPECT_LE(left, 3 * kSecond + 10 * kMillisecond) << "the wire may round it up";
}

// Part of what a round trip takes is the peer's, as it tells; the rest is the hop's.
TEST_P(RemoteServiceTest, WhatAHopTookIsTheRoundTripLessWhatThePeerServed) {
  Instance instance([](InferCall call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    InferResponse response;
    response.payload = Bytes(Slice::Static("answer"));
    response.timing.queue_us = 7;
    response.timing.hop_us = 1000;
    response.timing.replica = "0-a";
    call.Finish(std::move(response));
  });
  Publish({instance.address()});
  ASSERT_TRUE(Done(Ask()));
  const TimeNs began = SystemClock::Get().Now();
  Asked asked = Ask();
  ASSERT_TRUE(Done(asked));
  const uint32_t took_us = Timing::Us(SystemClock::Get().Now() - began);
  const Timing& timing = asked.answer().timing;
  EXPECT_GE(timing.served_us, 20000u);
  EXPECT_GT(timing.hop_us, 1000u) << "its own way besides that of the hops behind";
  EXPECT_LE(timing.served_us + timing.hop_us - 1000, took_us);
  EXPECT_EQ(timing.queue_us, 7u);
  EXPECT_EQ(timing.replica, "0-a");
}

TEST_P(RemoteServiceTest, TheTraceGoesAlong) {
  TraceContext seen;
  Instance instance([&seen](InferCall call) {
    seen = call.trace;
    AnswerThree(std::move(call));
  });
  Publish({instance.address()});
  struct Tracing final : InferService {
    explicit Tracing(InferService& next) : next(next) {}
    void Infer(InferCall call) override {
      call.trace = telemetry::ReadTrace("00-000000000000000a000000000000000b-000000000000000c-01", "v=1");
      next.Infer(std::move(call));
    }
    InferService& next;
  } tracing(remote_);
  ASSERT_TRUE(Done(Asked::Ask(tracing, hand_.loop(), SumRequest("shop", {1, 2}))));
  EXPECT_EQ(seen.trace, (telemetry::TraceId{10, 11}));
  EXPECT_TRUE(seen.valid());
  EXPECT_TRUE(seen.sampled());
  EXPECT_EQ(seen.state, "v=1");
}

TEST_P(RemoteServiceTest, TellsAnErrorWithItsRetryHint) {
  Instance instance([](InferCall call) {
    InferResponse response = InferResponse::Error(ResourceExhausted("the queue is full"));
    response.retry_after = 12 * kMillisecond;
    response.unprocessed = true;
    call.Finish(std::move(response));
  });
  Publish({instance.address()});
  Asked asked = Ask();
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.answer().status.ToString(), "ResourceExhausted: the queue is full");
  EXPECT_EQ(asked.answer().retry_after, 12 * kMillisecond);
  EXPECT_TRUE(asked.answer().unprocessed);
  EXPECT_EQ(instance.calls(), 1) << "it would be full again";
}

TEST_P(RemoteServiceTest, OneModelStaysWithOneEndpoint) {
  Instance one(&AnswerThree), two(&AnswerThree);
  Publish({one.address(), two.address()});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Done(Ask()));
  EXPECT_TRUE(one.calls() == 10 || two.calls() == 10) << one.calls() << " " << two.calls();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Done(Ask(kNever, "model " + std::to_string(i))));
  EXPECT_GT(std::min(one.calls(), two.calls()), 0);
}

TEST_P(RemoteServiceTest, AnEndpointThatIsAwayIsPassedOver) {
  Instance one(&AnswerThree), two(&AnswerThree);
  Publish({one.address(), two.address()});
  ASSERT_TRUE(Done(Ask()));
  (one.calls() == 1 ? one : two).Stop();
  for (int i = 0; i < 20; ++i) {
    Asked asked = Ask(SystemClock::Get().Now() + 5 * kSecond);
    ASSERT_TRUE(Done(asked));
    EXPECT_EQ(asked.answer().status.ToString(), "Ok") << i;
  }
}

// The kernel takes connections for a process that is stopped, which never says a word on them.
TEST_P(RemoteServiceTest, AnEndpointThatTakesConnectionsAndIsSilentIsPassedOver) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in bound{};
  bound.sin_family = AF_INET;
  bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(bound);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&bound), size), 0);
  ASSERT_EQ(listen(listener, 16), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&bound), &size), 0);
  Instance other(&AnswerThree);
  Publish({"127.0.0.1:" + std::to_string(ntohs(bound.sin_port)), other.address()});
  hand_.For(50 * kMillisecond);  // one is connected
  for (int i = 0; i < 20; ++i) {  // half of these models belong to the silent one
    Asked asked = Ask(SystemClock::Get().Now() + 10 * kSecond, "model " + std::to_string(i));
    ASSERT_TRUE(hand_.Until([&asked] { return asked.done(); }, 5 * kSecond)) << i;
    EXPECT_EQ(asked.answer().status.ToString(), "Ok") << i;
  }
  close(listener);
}

TEST_P(RemoteServiceTest, SaysWhenThereIsNobody) {
  Asked none = Ask();
  ASSERT_TRUE(Done(none));
  EXPECT_EQ(none.kind(), ErrorKind::kUnavailable);
  Publish({"127.0.0.1:1"});
  Asked away = Ask();
  ASSERT_TRUE(Done(away));
  EXPECT_EQ(away.kind(), ErrorKind::kUnavailable);
  EXPECT_EQ(remote_.Publish({{"a", "nonsense"}}, 2).kind(), ErrorKind::kInvalidArgument);
}

TEST_P(RemoteServiceTest, ACancelReachesTheOtherSide) {
  std::atomic<bool> cancelled{false};
  struct Holder final : CancelHandler {
    explicit Holder(InferCall taken, std::atomic<bool>* flag)
        : call(std::move(taken)), flag(flag) {
      call.scope()->SetHandler(this);
    }
    void OnCancel() override {
      const std::unique_ptr<Holder> self(this);
      flag->store(true);
      call.Finish(InferResponse::Error(Cancelled("the caller left")));
    }
    InferCall call;
    std::atomic<bool>* flag;
  };
  Instance instance([&cancelled](InferCall call) { new Holder(std::move(call), &cancelled); });
  Publish({instance.address()});
  Asked asked = Ask();
  ASSERT_TRUE(hand_.Until([&] { return instance.calls() == 1; }));
  asked.Cancel();
  EXPECT_TRUE(asked.done());
  EXPECT_EQ(asked.kind(), ErrorKind::kCancelled);
  EXPECT_TRUE(hand_.Until([&] { return cancelled.load(); }));
}

TEST_P(RemoteServiceTest, ManyCallsAtOnceEachGetTheirOwnAnswer) {
  Instance instance([](InferCall call) {
    InferResponse response;
    response.version = std::string(call.request().view.id);
    call.Finish(std::move(response));
  });
  Publish({instance.address()});
  std::vector<Asked> asked;
  for (int i = 0; i < 300; ++i) {
    std::string id;
    oip::FieldWriter(&id).String(3, std::to_string(i));
    asked.push_back(Asked::Ask(remote_, hand_.loop(), SumRequest("shop", {1, 2}, id)));
    if (i % 7 == 0) asked.back().Cancel();
  }
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Done(asked[i])) << i;
    if (i % 7 == 0) {
      EXPECT_EQ(asked[i].kind(), ErrorKind::kCancelled) << i;
    } else {
      EXPECT_EQ(asked[i].answer().version, std::to_string(i));
    }
  }
}

TEST_P(RemoteServiceTest, ADeadlineEndsACallThatThePeerForgets) {
  std::vector<InferCall> forgotten;
  Instance instance([&forgotten](InferCall call) {
    call.set_deadline(kNever);
    forgotten.push_back(std::move(call));
  });
  Publish({instance.address()});
  Asked asked = Ask(SystemClock::Get().Now() + 50 * kMillisecond);
  ASSERT_TRUE(Done(asked));
  EXPECT_EQ(asked.kind(), ErrorKind::kDeadlineExceeded);
  ASSERT_TRUE(hand_.Until([&] { return instance.calls() == 1; }));
  instance.Run([&forgotten] { forgotten.clear(); });
}

TEST_P(RemoteServiceTest, AnswersUnderWayComeBackFromAnInstanceThatGoesAway) {
  std::vector<InferCall> held;
  Instance old([&held](InferCall call) { held.push_back(std::move(call)); }, 10 * kSecond);
  Publish({old.address()});
  Asked under_way = Ask();
  ASSERT_TRUE(hand_.Until([&] { return old.calls() == 1; }));
  std::thread stopping([&old] { old.Stop(); });
  Asked late;
  EXPECT_TRUE(hand_.Until([&] {  // its port closes once it has begun to stop
    late = Ask(SystemClock::Get().Now() + kSecond);
    return Done(late) && late.kind() == ErrorKind::kUnavailable;
  }));
  old.Run([&held] {
    for (InferCall& call : held) AnswerThree(std::move(call));
    held.clear();
  });
  EXPECT_TRUE(Done(under_way));
  EXPECT_EQ(under_way.answer().status.ToString(), "Ok");
  stopping.join();
}

TEST_P(RemoteServiceTest, ALargeMessageGoesToo) {
  Instance instance([](InferCall call) {
    InferResponse response;
    response.version = std::to_string(call.request().message.size());
    call.Finish(std::move(response));
  });
  Publish({instance.address()});
  const std::string message = SumRequest("shop", std::vector<float>(200'000, 1.5f));
  Asked asked = Asked::Ask(remote_, hand_.loop(), message);
  ASSERT_TRUE(Done(asked));
  EXPECT_GE(std::stoul(asked.answer().version), message.size());
}

// A Unix socket that is gone refuses inside connect(), before the stream that needed it is open.
TEST_P(RemoteServiceTest, AnAbsentSocketIsToldAsUnavailable) {
  const std::string absent = "unix:" + ::testing::TempDir() + "nobody-listens-here";
  Publish({absent});
  for (int i = 0; i < 3; ++i) {
    Asked first = Ask(), second = Ask();
    ASSERT_TRUE(Done(first) && Done(second));
    EXPECT_EQ(first.kind(), ErrorKind::kUnavailable);
    EXPECT_EQ(second.kind(), ErrorKind::kUnavailable);
  }
}

TEST_P(RemoteServiceTest, CallsUnderWayEndWithTheEndpointThatWasLeftOut) {
  std::vector<InferCall> held;
  Instance old([&held](InferCall call) { held.push_back(std::move(call)); });
  Instance next(&AnswerThree);
  for (const bool lost : {false, true}) {
    Publish({old.address()});
    const int before = old.calls();
    Asked answered = Ask(), cancelled = Ask();
    Asked late = Ask(SystemClock::Get().Now() + 50 * kMillisecond);
    ASSERT_TRUE(hand_.Until([&] { return old.calls() == before + 3; }));
    Publish({next.address()});
    Asked other = Ask();
    ASSERT_TRUE(Done(other));
    EXPECT_EQ(other.answer().status.ToString(), "Ok");
    cancelled.Cancel();
    EXPECT_TRUE(cancelled.done());
    ASSERT_TRUE(Done(late));
    EXPECT_EQ(late.kind(), ErrorKind::kDeadlineExceeded);
    if (lost) {
      old.Stop();
    } else {
      old.Run([&held] { AnswerThree(std::move(held.front())); });
    }
    ASSERT_TRUE(Done(answered));
    EXPECT_EQ(answered.answer().status.ToString(), "Ok") << "asked of the next one when lost";
    hand_.For(5 * kMillisecond);  // what is left of the endpoint goes
    old.Run([&held] { held.clear(); });
  }
}

// One answer may end the wait for another, as when a stream that was held up hears of its cancel.
TEST_P(RemoteServiceTest, ALostCallsAnswerMayCancelAnotherThatWasLostWithIt) {
  std::vector<InferCall> held;
  Instance instance([&held](InferCall call) { held.push_back(std::move(call)); });
  Publish({instance.address()});
  std::vector<Asked> others;
  const auto cancel_others = [&others] {
    for (Asked& other : others) {
      if (!other.done()) other.Cancel();
    }
  };
  const auto ask = [&](std::function<void()> then) {
    return Asked::Ask(remote_, hand_.loop(), SumRequest("shop", {1, 2}), kNever, false,
                      std::move(then));
  };
  Asked first = ask(cancel_others);
  for (int i = 0; i < 8; ++i) others.push_back(ask(nullptr));
  Asked last = ask(cancel_others);
  ASSERT_TRUE(hand_.Until([&] { return instance.calls() == 10; }));
  instance.Stop();
  EXPECT_TRUE(Done(first) && Done(last));
  for (const Asked& other : others) {
    ASSERT_TRUE(other.done());
    EXPECT_NE(other.kind(), ErrorKind::kOk);
  }
  instance.Run([&held] { held.clear(); });
}

// Nothing of what services tell each other leaves by a port for callers.
TEST(EdgeTest, CallersAreToldNoTimings) {
  for (const bool inner : {false, true}) {
    Instance instance(&AnswerThree, 0, inner);
    HandLoop hand;
    const net::Address address = net::Address::Parse(instance.address()).value();
    net::ClientChannel channel(hand.loop(), address, {});
    struct Told final : net::ClientStreamHandler {
      void OnMessage(Slice) override {}
      void OnDone(net::CallResult result) override {
        trailers = std::move(result.trailers);
        done = true;
      }
      net::Metadata trailers;
      bool done = false;
    } told;
    channel.StartUnary("/inference.GRPCInferenceService/ModelInfer", {},
                       Slice::Copy(SumRequest("shop", {1, 2})), &told);
    ASSERT_TRUE(hand.Until([&told] { return told.done; }));
    EXPECT_EQ(told.trailers.Get(kTimingTrailer).empty(), !inner);
  }
}

TEST(HopStreamTest, StrangersAreNotAnswered) {
  Instance instance(&AnswerThree, 0, /*inner=*/false);
  HandLoop hand;
  RemoteService remote(hand.loops());
  ASSERT_TRUE(remote.Publish({{"a", instance.address(), true}}, 1).ok());
  Asked asked = Asked::Ask(remote, hand.loop(), SumRequest("shop", {1, 2}));
  ASSERT_TRUE(hand.Until([&] { return asked.done(); }));
  EXPECT_EQ(asked.kind(), ErrorKind::kUnimplemented);
  EXPECT_EQ(instance.calls(), 0);
}

}  // namespace
}  // namespace skysail::services
