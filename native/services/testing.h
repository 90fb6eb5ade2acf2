// Doubles and shorthands for tests of services: a service that answers when told to, a caller that
// keeps what it was answered, and a loop that the test turns by hand.
#ifndef SKYSAIL_SERVICES_TESTING_H_
#define SKYSAIL_SERVICES_TESTING_H_

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "net/event_loop.h"
#include "oip/message.h"
#include "oip/signature.h"
#include "oip/testing.h"
#include "services/infer_call.h"
#include "services/intake.h"

namespace skysail::services::testing {

// Models of these tests: x FP32 [-1, 2] -> y FP32 [-1, 1], the sum of each row.
inline oip::Signature SumSignature() {
  oip::Signature signature;
  signature.inputs = {{"x", oip::DataType::kFp32, {-1, 2}}};
  signature.outputs = {{"y", oip::DataType::kFp32, {-1, 1}}};
  return signature;
}
inline std::string Floats(const std::vector<float>& values) {
  std::string raw(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return raw;
}
// `values` in rows of two.
inline std::string SumRequest(std::string_view model, const std::vector<float>& values,
                              std::string_view more = {}, std::string_view version = {}) {
  const auto rows = static_cast<int64_t>(values.size() / 2);
  return oip::testing::Request(model, version, {{"x", "FP32", {rows, 2}, Floats(values)}}, more);
}
inline std::string SumResponse(const std::vector<float>& sums) {
  const auto rows = static_cast<int64_t>(sums.size());
  return oip::testing::Response("any", "any", {{"y", "FP32", {rows, 1}, Floats(sums)}});
}
inline std::vector<float> ReadFloats(std::string_view raw) {
  std::vector<float> values(raw.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
}
// The first output of a payload.
inline std::vector<float> PayloadFloats(const Bytes& payload) {
  const Slice whole = payload.Flatten();
  oip::ResponseView view;
  if (!oip::ParseResponse(whole.view(), &view).ok() || view.outputs.empty()) return {};
  return ReadFloats(view.outputs[0].raw);
}

// One loop, turned by the test's own thread.
class HandLoop {
 public:
  HandLoop() : loops_(1) {}
  net::LoopThreads& loops() { return loops_; }
  net::EventLoop& loop() { return loops_.loop(0); }
  // Turns until `done`; false when that took longer than `most`.
  bool Until(const std::function<bool()>& done, TimeNs most = 20 * kSecond) {
    const TimeNs end = SystemClock::Get().Now() + most;
    while (!done()) {
      if (SystemClock::Get().Now() > end) return false;
      loop().RunOnce(kMillisecond);
    }
    return true;
  }
  void For(TimeNs time) {
    const TimeNs end = SystemClock::Get().Now() + time;
    Until([end] { return SystemClock::Get().Now() >= end; });
  }

 private:
  net::LoopThreads loops_;
};

// A call and what became of it.
class Asked {
 public:
  bool done() const { return *answer_ ? true : false; }
  const InferResponse& answer() const { return **answer_; }
  ErrorKind kind() const { return answer().status.kind(); }
  std::vector<float> floats() const { return PayloadFloats(answer().payload); }
  void Cancel() { scope_->Cancel(); }

  // Puts `message` to `service` as if it had come from outside, or from another Skysail service.
  // `then` runs as the answer comes, from inside the service.
  static Asked Ask(InferService& service, net::EventLoop& loop, const std::string& message,
                   TimeNs deadline = kNever, bool inner = false,
                   std::function<void()> then = nullptr) {
    Asked asked;
    asked.answer_ = std::make_shared<std::optional<InferResponse>>();
    asked.scope_ = std::make_shared<CallScope>(loop);
    Result<std::unique_ptr<InferRequest>> request = ReadRequest(Slice::Copy(message), inner);
    if (!request.ok()) {
      *asked.answer_ = InferResponse::Error(request.status());
      return asked;
    }
    service.Infer(InferCall(std::move(*request), deadline, asked.scope_,
                            std::make_unique<Keep>(asked.answer_, std::move(then))));
    return asked;
  }

 private:
  using Kept = std::shared_ptr<std::optional<InferResponse>>;
  class Keep final : public InferCompletion {
   public:
    Keep(Kept kept, std::function<void()> then)
        : kept_(std::move(kept)), then_(std::move(then)) {}
    void Done(InferResponse response) override {
      *kept_ = std::move(response);
      if (then_) then_();
    }

   private:
    const Kept kept_;
    const std::function<void()> then_;
  };
  Kept answer_;
  std::shared_ptr<CallScope> scope_;
};

// Holds every call until the test answers it. A call that is cancelled ends with Cancelled.
class HeldService final : public InferService {
 public:
  void Infer(InferCall call) override { held_.push_back(std::make_unique<Held>(std::move(call))); }

  size_t size() const { return held_.size(); }
  InferCall& call(size_t i) { return held_[i]->call; }
  InferRequest& request(size_t i) { return held_[i]->call.request(); }
  bool cancelled(size_t i) const { return held_[i]->cancelled; }
  void Answer(size_t i, InferResponse response) { held_[i]->call.Finish(std::move(response)); }
  void AnswerSums(size_t i, const std::vector<float>& sums) {
    InferResponse response;
    const Slice message = Slice::Copy(SumResponse(sums));
    oip::ResponseView view;
    static_cast<void>(oip::ParseResponse(message.view(), &view));
    for (const std::string_view span : view.visible) response.payload.Append(message.Sub(span));
    response.model = "sum";
    response.version = "1";
    Answer(i, std::move(response));
  }

 private:
  struct Held final : CancelHandler {
    explicit Held(InferCall taken) : call(std::move(taken)) { call.scope()->SetHandler(this); }
    void OnCancel() override {
      cancelled = true;
      call.Finish(InferResponse::Error(Cancelled("the caller left")));
    }
    InferCall call;
    bool cancelled = false;
  };
  std::vector<std::unique_ptr<Held>> held_;
};

}  // namespace skysail::services::testing

#endif  // SKYSAIL_SERVICES_TESTING_H_
