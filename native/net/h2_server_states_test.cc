// A frame of every type on every stream that it could name, sent to the server: RFC 9113, 5.1, 6.
#include "net/h2_server_case_test_support.h"

namespace skysail::net {
namespace {

constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;
constexpr uint32_t kStreamClosed = NGHTTP2_STREAM_CLOSED;

const FrameInStates kRows[] = {
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

class ServerStates : public ServerCase, public ::testing::WithParamInterface<H2Case> {};
TEST_P(ServerStates, EndAsTheyMust) { Run(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Http2, ServerStates, ::testing::ValuesIn(CasesOf(kRows)), CaseName);

}  // namespace
}  // namespace skysail::net
