// Runs conformance cases against our channel: the peer is a server that writes frames by hand.
#ifndef SKYSAIL_NET_H2_CLIENT_CASE_TEST_SUPPORT_H_
#define SKYSAIL_NET_H2_CLIENT_CASE_TEST_SUPPORT_H_

#include <memory>
#include <string>
#include <utility>

#include "net/h2_case_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {

inline Fields Response() { return {{":status", "200"}, {"content-type", "application/grpc"}}; }
inline Fields OkTrailers() { return {{"grpc-status", "0"}}; }
// Echo's whole answer.
inline std::string Answer(int32_t stream) {
  return HeadersFrame(stream, Response()) + Data(stream, kMessage) +
         HeadersFrame(stream, OkTrailers(), kEndStream);
}

class ClientCase : public H2CaseTest {
 protected:
  ClientCase()
      : listening_(std::move(*ListenOn(*Address::Parse("127.0.0.1:0")))),
        client_(*BoundAddress(listening_, *Address::Parse("127.0.0.1:0")), Options()) {}

  void Enter(State state) override {
    Accept();
    if (HasFatalFailure() || state == State::kNoPreface) return;
    Settle();
    if (HasFatalFailure() || state == State::kIdle) return;
    StartCall();
    if (HasFatalFailure()) return;
    if (state == State::kClosed || state == State::kHalfClosed) peer_->Send(Answer(1));
    if (state == State::kResetByPeer) peer_->Send(RstStream(1));
    if (state == State::kResetByUs) {
      stream_->Cancel();
      ASSERT_EQ(peer_->NextOf(NGHTTP2_RST_STREAM).payload, U32(NGHTTP2_CANCEL));
    }
    if (state != State::kOpen) {
      ASSERT_TRUE(client_.Finish(*call_));
    }
  }
  void ExpectFailed() override {
    ASSERT_TRUE(client_.Finish(*call_));
    EXPECT_FALSE(call_->status().ok());
  }
  void ExpectAnswered() override {
    ASSERT_TRUE(client_.Finish(*call_));
    EXPECT_TRUE(call_->status().ok()) << call_->status().ToString();
    EXPECT_EQ(call_->messages, std::vector<std::string>{"hi"});
  }
  void ExpectGoesOn(State state) override {
    if (state != State::kOpen) return;
    peer_->Send(Answer(1));
    ExpectAnswered();
  }
  void ExpectNextServed(const H2Case& c) override {
    if (peer_ == nullptr) {
      if (c.state == State::kOpen) ExpectFailed();
      Accept();
      if (HasFatalFailure()) return;
    }
    StartCall();
    peer_->Send(Answer(asked_));
    ExpectAnswered();
  }

  // Takes the channel's connection, a new one if need be, and exchanges SETTINGS.
  void Accept() {
    int fd = -1;
    ASSERT_TRUE(client_.Until([&] {
      client_.channel().Connect();
      fd = accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      return fd >= 0;
    }));
    peer_ = std::make_unique<RawPeer>(Socket(fd), [this] { client_.loop().RunOnce(kMillisecond); });
    ASSERT_TRUE(peer_->TakeMagic());
    ASSERT_EQ(peer_->Next().type, NGHTTP2_SETTINGS);
    settled_ = false;
  }
  void Settle() {
    peer_->Send(Settings({}) + SettingsAck());
    ASSERT_EQ(peer_->NextOf(NGHTTP2_SETTINGS).flags, NGHTTP2_FLAG_ACK);
    settled_ = true;
  }
  void StartCall() {
    call_ = std::make_unique<Recorder>();
    stream_ = client_.channel().StartUnary("/t.T/Echo", {}, Text("hi"), call_.get());
    // On a connection just made, the request may come before the channel has our SETTINGS.
    const RawPeer::Received headers = peer_->NextOf(NGHTTP2_HEADERS);
    ASSERT_EQ(headers.type, NGHTTP2_HEADERS);
    asked_ = headers.stream;
    ASSERT_EQ(peer_->NextOf(NGHTTP2_DATA).payload, kMessage);
    if (!settled_) peer_->Send(Settings({}) + SettingsAck());
    settled_ = true;
  }

  static ChannelOptions Options() {
    ChannelOptions options;
    options.backoff_initial = options.backoff_max = kMillisecond;
    return options;
  }

  Socket listening_;
  std::unique_ptr<Recorder> call_;  // outlives the channel
  TestClient client_;
  ClientStream* stream_ = nullptr;
  int32_t asked_ = 0;
  bool settled_ = false;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_CLIENT_CASE_TEST_SUPPORT_H_
