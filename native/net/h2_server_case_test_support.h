// Runs conformance cases against our server.
#ifndef SKYSAIL_NET_H2_SERVER_CASE_TEST_SUPPORT_H_
#define SKYSAIL_NET_H2_SERVER_CASE_TEST_SUPPORT_H_

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "net/h2_case_test_support.h"
#include "net/rpc_test_support.h"

namespace skysail::net {

class ServerCase : public H2CaseTest {
 protected:
  static constexpr int32_t kNextStream = 101;  // above all that cases use

  ServerCase() {
    server_.AddUnary("/t.T/Hold", [this](UnaryCall call) {
      std::lock_guard<std::mutex> lock(mu_);
      held_.push_back(std::move(call));
    });
    address_ = server_.Start();
    peer_ = std::make_unique<RawPeer>(address_.port);
  }
  ~ServerCase() override {
    peer_.reset();  // or the server would wait for it to say that it goes
    held_.clear();
  }

  void Enter(State state) override {
    ASSERT_TRUE(peer_->connected());
    if (state == State::kNoPreface) return;
    peer_->SendPreface();
    ASSERT_EQ(peer_->NextOf(NGHTTP2_SETTINGS).flags, 0);
    ASSERT_EQ(peer_->NextOf(NGHTTP2_SETTINGS).flags, NGHTTP2_FLAG_ACK);
    peer_->Send(SettingsAck());
    switch (state) {
      case State::kOpen:
        return peer_->Send(HeadersFrame(1, Request()));
      case State::kHalfClosed:
        return peer_->Send(Call(1, Request("/t.T/Hold")));
      case State::kClosed:
        peer_->Send(Call(1));
        return ExpectAnswer(1);
      case State::kResetByPeer:
        return peer_->Send(HeadersFrame(1, Request()) + RstStream(1));
      case State::kResetByUs:
        peer_->Send(HeadersFrame(1, Request("/t.T/Nobody")));
        EXPECT_EQ(peer_->NextOf(NGHTTP2_RST_STREAM).payload, U32(NGHTTP2_NO_ERROR));
        return;
      default:
        return;
    }
  }
  void ExpectFailed() override { EXPECT_EQ(server_.server().stats().calls_open, 0u); }
  void ExpectAnswered() override { ExpectAnswer(1); }
  void ExpectGoesOn(State state) override {
    if (state == State::kOpen) {
      peer_->Send(Data(1, kMessage, kEndStream));
      ExpectAnswer(1);
    } else if (state == State::kHalfClosed) {
      Release();
      ExpectAnswer(1);
    }
  }
  void ExpectNextServed(const H2Case& c) override {
    if (peer_ == nullptr) return ExpectNewConnectionServed(c.end.kind == End::Kind::kLeave ? 0 : 1);
    peer_->Send(Call(kNextStream));
    ExpectAnswer(kNextStream);
    ExpectNewConnectionServed(0);
  }

 private:
  // Echo's answer on `stream`, to the end.
  void ExpectAnswer(int32_t stream) {
    std::string body;
    RawPeer::Received frame;
    do {
      frame = peer_->Next();
      ASSERT_NE(frame.type, -1) << "the connection ended";
      ASSERT_NE(frame.type, NGHTTP2_GOAWAY) << "code " << frame.payload.back();
      ASSERT_FALSE(frame.type == NGHTTP2_RST_STREAM && frame.stream == stream)
          << "code " << frame.payload.back();
      if (frame.stream != stream) continue;
      if (frame.type == NGHTTP2_DATA) body += frame.payload;
    } while (frame.stream != stream || (frame.flags & kEndStream) == 0 ||
             (frame.type != NGHTTP2_HEADERS && frame.type != NGHTTP2_DATA));
    EXPECT_EQ(frame.headers["grpc-status"], "0");
    EXPECT_EQ(body, kMessage);
  }
  void ExpectNewConnectionServed(uint64_t protocol_errors) {
    TestClient client(address_);
    EXPECT_TRUE(client.Call("/t.T/Echo", "x")->status().ok());
    EXPECT_TRUE(client.Until(
        [&] { return server_.server().stats().protocol_errors == protocol_errors; }));
  }
  void Release() {
    std::lock_guard<std::mutex> lock(mu_);
    for (UnaryCall& call : held_) call.Respond(Text("hi"));
    held_.clear();
  }

  std::mutex mu_;
  std::vector<UnaryCall> held_;
  TestServer server_;
  Address address_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_SERVER_CASE_TEST_SUPPORT_H_
