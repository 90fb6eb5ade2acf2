// HTTP/2 conformance cases as data: the state of stream 1, the bytes that a peer sends in it, and
// how that must end; and the test that runs one. docs/protocol.md says where an ending is not the
// RFC's first choice.
#ifndef SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_
#define SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "net/h2_frames_test_support.h"
#include "net/raw_peer_test_support.h"

namespace skysail::net {

// Of stream 1, as our endpoint sees it.
enum class State {
  kNoPreface,    // connected, nothing was sent
  kIdle,         // SETTINGS exchanged, no stream yet
  kOpen,         // the peer has sent its headers and may send more
  kHalfClosed,   // half-closed (remote): the peer has ended its side, ours is open
  kClosed,       // both sides ended it
  kResetByPeer,
  kResetByUs,    // while the peer could still send
};

struct End {
  enum class Kind {
    kGoaway,    // a connection error: GOAWAY with the code, then the end of the connection
    kClose,     // the connection ends, with or without GOAWAY
    kLeave,     // the same, and nobody broke the protocol
    kReset,     // a stream error: RST_STREAM with the code
    kIgnored,   // as if it had not been sent: the call on stream 1, if any, goes on and is answered
    kAnswered,  // the bytes complete the call on stream 1, which succeeds
    kGone,      // the bytes end the call on stream 1 and nothing is said about it
  };
  Kind kind;
  uint32_t code = 0;
  int32_t stream = 1;
};
inline End Goaway(uint32_t code) { return {End::Kind::kGoaway, code}; }
inline End Reset(uint32_t code, int32_t stream = 1) { return {End::Kind::kReset, code, stream}; }
inline const End kCloses{End::Kind::kClose};
inline const End kLeaves{End::Kind::kLeave};
inline const End kIgnored{End::Kind::kIgnored};
inline const End kAnswered{End::Kind::kAnswered};
inline const End kGone{End::Kind::kGone};

struct H2Case {
  std::string name;         // the behaviour
  const char* section;      // of RFC 9113, unless it says 7541
  State state;
  std::string bytes;
  End end;
};
inline void PrintTo(const H2Case& c, std::ostream* out) { *out << c.section << ": " << c.name; }
inline std::string CaseName(const ::testing::TestParamInfo<H2Case>& info) {
  return info.param.name;
}

// How one frame ends on each stream that it could name: on stream 0; on streams 1 and 2 while nobody
// used them; on stream 1 in each further state, where our endpoint has that state.
struct FrameInStates {
  const char* frame;
  std::string (*bytes)(int32_t stream);
  End zero, idle, even, open;
  std::optional<End> half_closed;
  End closed, reset_by_peer, reset_by_us;
};

template <typename Rows>
std::vector<H2Case> CasesOf(const Rows& rows) {
  std::vector<H2Case> cases;
  for (const FrameInStates& row : rows) {
    const auto add = [&](const char* where, State state, int32_t stream, const End& end) {
      cases.push_back({std::string(row.frame) + where, "5.1", state, row.bytes(stream), end});
    };
    add("OnTheConnection", State::kIdle, 0, row.zero);
    add("OnAnIdleStream", State::kIdle, 1, row.idle);
    add("OnAStreamOfTheServers", State::kIdle, 2, row.even);
    add("OnAnOpenStream", State::kOpen, 1, row.open);
    if (row.half_closed) add("OnAHalfClosedStream", State::kHalfClosed, 1, *row.half_closed);
    add("OnAClosedStream", State::kClosed, 1, row.closed);
    add("OnAStreamItReset", State::kResetByPeer, 1, row.reset_by_peer);
    add("OnAStreamWeReset", State::kResetByUs, 1, row.reset_by_us);
  }
  return cases;
}

// Runs cases against our endpoint of one role.
class H2CaseTest : public ::testing::Test {
 protected:
  void Run(const H2Case& c) {
    Enter(c.state);
    if (HasFatalFailure()) return;
    peer_->Send(c.bytes);
    switch (c.end.kind) {
      case End::Kind::kGoaway: {
        const RawPeer::Received frame = peer_->NextOf(NGHTTP2_GOAWAY);
        ASSERT_EQ(frame.type, NGHTTP2_GOAWAY);
        EXPECT_EQ(frame.payload.substr(4, 4), U32(c.end.code));
        [[fallthrough]];
      }
      case End::Kind::kClose:
      case End::Kind::kLeave:
        EXPECT_TRUE(peer_->WaitForEnd());
        peer_.reset();
        break;
      case End::Kind::kReset: {
        const RawPeer::Received frame = NextOutcome();
        ASSERT_EQ(frame.type, NGHTTP2_RST_STREAM);
        EXPECT_EQ(frame.stream, c.end.stream);
        EXPECT_EQ(frame.payload, U32(c.end.code));
        ExpectFailed();
        break;
      }
      case End::Kind::kIgnored:
        ExpectSilence();
        if (!HasFatalFailure()) ExpectGoesOn(c.state);
        break;
      case End::Kind::kAnswered:
        ExpectAnswered();
        break;
      case End::Kind::kGone:
        ExpectSilence();
        ExpectFailed();
        break;
    }
    if (!HasFatalFailure()) ExpectNextServed(c);
  }

  // Makes peer_, and brings stream 1 into `state`.
  virtual void Enter(State state) = 0;
  // Of the call on stream 1: it has failed; it is answered; it goes on, if it is still open, and is answered.
  virtual void ExpectFailed() = 0;
  virtual void ExpectAnswered() = 0;
  virtual void ExpectGoesOn(State state) = 0;
  // Whatever the case did, the next call is served: on peer_ while that is there.
  virtual void ExpectNextServed(const H2Case& c) = 0;

  std::unique_ptr<RawPeer> peer_;

 private:
  // The next frame that ends a stream or the connection.
  RawPeer::Received NextOutcome() {
    RawPeer::Received frame;
    do {
      frame = peer_->Next();
    } while (frame.type != NGHTTP2_RST_STREAM && frame.type != NGHTTP2_GOAWAY && frame.type != -1);
    return frame;
  }
  // Everything sent so far was read, and no stream nor the connection was ended for it.
  void ExpectSilence() {
    peer_->Send(Ping(0, 0, "all read"));
    RawPeer::Received frame;
    do {
      frame = peer_->Next();
      ASSERT_NE(frame.type, -1) << "the connection ended";
      ASSERT_NE(frame.type, NGHTTP2_GOAWAY) << "code " << frame.payload.back();
      ASSERT_NE(frame.type, NGHTTP2_RST_STREAM) << "code " << frame.payload.back();
    } while (frame.type != NGHTTP2_PING || frame.payload != "all read");
  }
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_
