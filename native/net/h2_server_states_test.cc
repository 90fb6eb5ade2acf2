// A frame of every type on every stream that it could name, sent to the server: RFC 9113, 5.1, 6.
#include "net/h2_server_case_test_support.h"

namespace skysail::net {
namespace {

constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;
constexpr uint32_t kStreamClosed = NGHTTP2_STREAM_CLOSED;

struct Row {
  const char* frame;
  std::string (*bytes)(int32_t stream);
  // On stream 0; on streams 1 and 2 while nobody used them; on stream 1 in each further state.
  End zero, idle, even, open, half_closed, closed, reset_by_peer, reset_by_us;
};

const Row kRows[] = {
    {"Data", [](int32_t stream) { return Data(stream, ""); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     kIgnored, Goaway(kStreamClosed), kIgnored, kIgnored, kIgnored},
    // In the idle state these would begin a call, in the open one they are trailers without an end.
    {"Headers", [](int32_t stream) { return HeadersFrame(stream, {{"x", "y"}}); },
     Goaway(kProtocol), Reset(kProtocol), Goaway(kProtocol),
     Reset(kProtocol), Goaway(kStreamClosed), Goaway(kProtocol), Goaway(kProtocol), kIgnored},
    {"Priority", [](int32_t stream) { return Priority(stream); },
     Goaway(kProtocol), kIgnored, kIgnored, kIgnored, kIgnored, kIgnored, kIgnored, kIgnored},
    {"RstStream", [](int32_t stream) { return RstStream(stream); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     kGone, kGone, kIgnored, kIgnored, kIgnored},
    {"Settings", [](int32_t stream) { return Settings({}, stream); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"PushPromise", [](int32_t stream) { return PushPromise(stream, 3, Request()); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"Ping", [](int32_t stream) { return Ping(stream); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    // On stream 0 a caller says that it goes: nothing is left to wait for.
    {"Goaway", [](int32_t stream) { return GoawayFrame(0, 0, stream); },
     kLeaves, Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"WindowUpdate", [](int32_t stream) { return WindowUpdate(stream, 1); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     kIgnored, kIgnored, kIgnored, kIgnored, kIgnored},
    {"Continuation", [](int32_t stream) { return Continuation(stream, ""); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"UnknownType", [](int32_t stream) { return Frame(kUnknownType, 0xff, stream, "what"); },
     kIgnored, kIgnored, kIgnored, kIgnored, kIgnored, kIgnored, kIgnored, kIgnored},
};

std::vector<H2Case> Cases() {
  std::vector<H2Case> cases;
  for (const Row& row : kRows) {
    const auto add = [&](const char* where, State state, int32_t stream, const End& end) {
      cases.push_back({std::string(row.frame) + where, "5.1", state, row.bytes(stream), end});
    };
    add("OnTheConnection", State::kIdle, 0, row.zero);
    add("OnAnIdleStream", State::kIdle, 1, row.idle);
    add("OnAStreamOfTheServers", State::kIdle, 2, row.even);
    add("OnAnOpenStream", State::kOpen, 1, row.open);
    add("OnAHalfClosedStream", State::kHalfClosed, 1, row.half_closed);
    add("OnAClosedStream", State::kClosed, 1, row.closed);
    add("OnAStreamItReset", State::kResetByPeer, 1, row.reset_by_peer);
    add("OnAStreamThatTheServerReset", State::kResetByUs, 1, row.reset_by_us);
  }
  return cases;
}

using ServerStates = ServerCase;
TEST_P(ServerStates, EndAsTheyMust) { Run(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Http2, ServerStates, ::testing::ValuesIn(Cases()), CaseName);

}  // namespace
}  // namespace skysail::net
