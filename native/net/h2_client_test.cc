// The channel against servers that break RFC 9113 and RFC 7541.
#include "net/h2_client_case_test_support.h"
#include "net/hpack_case_test_support.h"

namespace skysail::net {
namespace {

constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;
constexpr uint32_t kFrameSize = NGHTTP2_FRAME_SIZE_ERROR;
constexpr uint32_t kFlowControl = NGHTTP2_FLOW_CONTROL_ERROR;

const FrameInStates kRows[] = {
    // In the open state the server has sent no headers yet; a channel half-closes as it asks.
    {"Data", [](int32_t stream) { return Data(stream, ""); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), {}, kIgnored, kIgnored, kIgnored},
    {"Headers", [](int32_t stream) { return HeadersFrame(stream, OkTrailers(), kEndStream); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Reset(kProtocol), {}, kIgnored, kIgnored, kIgnored},
    {"Priority", [](int32_t stream) { return Priority(stream); },
     Goaway(kProtocol), kIgnored, kIgnored,
     kIgnored, {}, kIgnored, kIgnored, kIgnored},
    {"RstStream", [](int32_t stream) { return RstStream(stream); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     kGone, {}, kIgnored, kIgnored, kIgnored},
    {"Settings", [](int32_t stream) { return Settings({}, stream); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), {}, Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"PushPromise", [](int32_t stream) { return PushPromise(stream, 2, Request()); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), {}, Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"Ping", [](int32_t stream) { return Ping(stream); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), {}, Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"WindowUpdate", [](int32_t stream) { return WindowUpdate(stream, 1); },
     kIgnored, Goaway(kProtocol), Goaway(kProtocol),
     kIgnored, {}, kIgnored, kIgnored, kIgnored},
    {"Continuation", [](int32_t stream) { return Continuation(stream, ""); },
     Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol),
     Goaway(kProtocol), {}, Goaway(kProtocol), Goaway(kProtocol), Goaway(kProtocol)},
    {"UnknownType", [](int32_t stream) { return Frame(kUnknownType, 0xff, stream, "what"); },
     kIgnored, kIgnored, kIgnored,
     kIgnored, {}, kIgnored, kIgnored, kIgnored},
};

std::vector<H2Case> Frames() {
  return {
      {"PingInsteadOfSettings", "3.4", State::kNoPreface, Ping(), Goaway(kProtocol)},
      {"AnswerOfHttp1", "3.4", State::kNoPreface, "HTTP/1.1 400 Bad Request\r\n\r\n", kCloses},
      {"EnablePush", "6.5.2", State::kIdle, Settings({{NGHTTP2_SETTINGS_ENABLE_PUSH, 1}}),
       Goaway(kProtocol)},
      {"InitialWindowOver31Bits", "6.5.2", State::kOpen,
       Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000}}), Goaway(kFlowControl)},
      {"MaxFrameSizeBelowTheDefault", "6.5.2", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16383}}), Goaway(kProtocol)},
      {"UnknownSetting", "6.5.2", State::kOpen, Settings({{0xff, 1}}), kIgnored},
      {"DataOverTheSizeLimit", "4.2", State::kOpen,
       HeadersFrame(1, Response()) + Data(1, std::string(16385, 'x')), Goaway(kFrameSize)},
      {"PaddingAsLongAsTheData", "6.1", State::kOpen,
       HeadersFrame(1, Response()) + Data(1, "\x04" "abc", kPadded), Goaway(kProtocol)},
      {"PingOfSevenBytes", "6.7", State::kOpen, Ping(0, 0, "1234567"), Goaway(kFrameSize)},
      {"GoawayOfAStream", "6.8", State::kOpen, GoawayFrame(1, 0, 1), Goaway(kProtocol)},
      {"GoawayThatRaisesItsLastStream", "6.8", State::kOpen, GoawayFrame(1) + GoawayFrame(3),
       Goaway(kProtocol)},
      {"ZeroIncrement", "6.9", State::kOpen, WindowUpdate(0, 0), Goaway(kProtocol)},
      {"IncrementsOverTheConnectionsWindow", "6.9.1", State::kOpen, WindowUpdate(0, 0x7fffffff),
       Goaway(kFlowControl)},
      {"IncrementsOverAStreamsWindow", "6.9.1", State::kOpen, WindowUpdate(1, 0x7fffffff),
       Reset(kFlowControl)},
      {"PingInsideAHeaderBlock", "6.10", State::kOpen,
       Frame(NGHTTP2_HEADERS, 0, 1, Headers(Response())) + Ping(), Goaway(kProtocol)},
      {"ContinuationOfAnotherStream", "6.10", State::kOpen,
       Frame(NGHTTP2_HEADERS, 0, 1, Headers(Response())) + Continuation(3, ""),
       Goaway(kProtocol)},
      {"HeadersInTwoFrames", "6.10", State::kOpen,
       Frame(NGHTTP2_HEADERS, 0, 1, Headers(Response())) + Continuation(1, "") +
           Data(1, kMessage) + HeadersFrame(1, OkTrailers(), kEndStream),
       kAnswered},
  };
}

H2Case Malformed(const char* name, const char* section, const Fields& fields) {
  return {name, section, State::kOpen, HeadersFrame(1, fields), Reset(kProtocol)};
}

std::vector<H2Case> AnswerFields() {
  const Fields fields = Response();
  const std::string hint = HeadersFrame(1, {{":status", "103"}, {"link", "x"}});
  return {
      Malformed("WithoutStatus", "8.3.2", Without(fields, ":status")),
      Malformed("StatusTwice", "8.3.2", With({{":status", "200"}}, fields)),
      Malformed("StatusThatIsNoNumber", "8.3.2", Changed(fields, ":status", "abc")),
      Malformed("StatusOfTwoDigits", "8.3.2", Changed(fields, ":status", "20")),
      Malformed("SwitchingProtocols", "8.6", Changed(fields, ":status", "101")),
      Malformed("PathInAnAnswer", "8.3", With({{":path", "/"}}, fields)),
      Malformed("StatusAfterAField", "8.3", {{"x", "y"}, {":status", "200"}}),
      Malformed("UpperCaseName", "8.2.1", With(fields, {{"Name", "x"}})),
      Malformed("NewlineInAValue", "8.2.1", With(fields, {{"x", "a\nb"}})),
      Malformed("ConnectionSpecificField", "8.2.2", With(fields, {{"connection", "close"}})),
      {"InformationalAnswersBeforeTheFinalOne", "8.1", State::kOpen, hint + hint + Answer(1),
       kAnswered},
      {"InformationalAnswerThatEnds", "8.1", State::kOpen,
       HeadersFrame(1, {{":status", "103"}}, kEndStream), Reset(kProtocol)},
      {"DataAfterAnInformationalAnswer", "8.1", State::kOpen, hint + Data(1, kMessage),
       Reset(kProtocol)},
      {"TrailersWithoutAnEnd", "8.1", State::kOpen,
       HeadersFrame(1, fields) + Data(1, kMessage) + HeadersFrame(1, OkTrailers()),
       Reset(kProtocol)},
      {"StatusInTrailers", "8.1", State::kOpen,
       HeadersFrame(1, fields) + HeadersFrame(1, Response(), kEndStream), Reset(kProtocol)},
      {"ContentLengthTooSmall", "8.1.1", State::kOpen,
       HeadersFrame(1, With(fields, {{"content-length", "6"}})) + Data(1, kMessage),
       Reset(kProtocol)},
      {"ContentLengthTooLarge", "8.1.1", State::kOpen,
       HeadersFrame(1, With(fields, {{"content-length", "8"}})) + Data(1, kMessage) +
           HeadersFrame(1, OkTrailers(), kEndStream),
       Reset(kProtocol)},
      {"SpaceAroundAMessage", "8.2.1", State::kOpen,
       HeadersFrame(1, With(fields, {{"x", " a "}})) + Data(1, kMessage) +
           HeadersFrame(1, With(OkTrailers(), {{"grpc-message", " "}}), kEndStream),
       kAnswered},
  };
}

std::vector<H2Case> Compression() {
  std::vector<H2Case> cases;
  for (const HpackCase& c : HpackCases()) {
    cases.push_back({c.name, c.section, State::kOpen,
                     Frame(NGHTTP2_HEADERS, kEndHeaders, 1,
                           c.before + Headers(Response()) + c.after) +
                         Data(1, kMessage) + HeadersFrame(1, OkTrailers(), kEndStream),
                     c.valid ? kAnswered : Goaway(NGHTTP2_COMPRESSION_ERROR)});
  }
  return cases;
}

class ClientHttp2 : public ClientCase, public ::testing::WithParamInterface<H2Case> {};
TEST_P(ClientHttp2, EndsAsItMust) { Run(GetParam()); }
INSTANTIATE_TEST_SUITE_P(States, ClientHttp2, ::testing::ValuesIn(CasesOf(kRows)), CaseName);
INSTANTIATE_TEST_SUITE_P(Frames, ClientHttp2, ::testing::ValuesIn(Frames()), CaseName);
INSTANTIATE_TEST_SUITE_P(Fields, ClientHttp2, ::testing::ValuesIn(AnswerFields()), CaseName);
INSTANTIATE_TEST_SUITE_P(Hpack, ClientHttp2, ::testing::ValuesIn(Compression()), CaseName);

}  // namespace
}  // namespace skysail::net
