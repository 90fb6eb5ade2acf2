// A client of the plane on a loop that the test turns: unary calls over one connection.
#ifndef SKYSAIL_STEADY_CALLER_H_
#define SKYSAIL_STEADY_CALLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/client_channel.h"
#include "services/testing.h"

namespace skysail::steady {

class Caller {
 public:
  Caller(services::testing::HandLoop& hand, const std::string& address)
      : hand_(hand),
        channel_(std::make_unique<net::ClientChannel>(
            hand.loop(), net::Address::Parse(address).value(), net::ChannelOptions{})) {}

  // The answer to one call; empty after a failure.
  Slice Ask(const Slice& request) {
    Call call;
    channel_->StartUnary(kMethod, {}, Bytes(request), &call);
    hand_.Until([&call] { return call.done; });
    return call.ok ? call.answer : Slice();
  }

  // Makes `count` calls, `in_flight` at a time; returns how many were answered well. `make`
  // gives the request of the n-th call.
  template <typename MakeRequest>
  uint64_t Many(uint64_t count, int in_flight, MakeRequest make) {
    uint64_t begun = 0, ended = 0, good = 0;
    std::vector<Lane> lanes(static_cast<size_t>(in_flight));
    const auto begin = [&](Lane& lane) {
      if (begun == count) return;
      channel_->StartUnary(kMethod, {}, Bytes(make(begun)), &lane);
      ++begun;
    };
    for (Lane& lane : lanes) {
      lane.ended = [&](bool ok) {
        ++ended;
        if (ok) ++good;
        begin(lane);
      };
      begin(lane);
    }
    hand_.Until([&] { return ended == count; }, 600 * kSecond);
    return good;
  }

  // Begins a call and leaves before it has ended.
  void AskAndLeave(const Slice& request) {
    Call call;
    channel_->StartUnary(kMethod, {}, Bytes(request), &call);
    hand_.loop().RunOnce(0);
    channel_.reset();
  }

 private:
  static constexpr char kMethod[] = "/inference.GRPCInferenceService/ModelInfer";
  struct Call final : net::ClientStreamHandler {
    void OnMessage(Slice message) override { answer = std::move(message); }
    void OnDone(net::CallResult result) override {
      done = true;
      ok = result.status.ok();
    }
    Slice answer;
    bool done = false, ok = false;
  };
  struct Lane final : net::ClientStreamHandler {
    void OnMessage(Slice) override {}
    void OnDone(net::CallResult result) override { ended(result.status.ok()); }
    std::function<void(bool)> ended;
  };

  services::testing::HandLoop& hand_;
  std::unique_ptr<net::ClientChannel> channel_;
};

}  // namespace skysail::steady

#endif  // SKYSAIL_STEADY_CALLER_H_
