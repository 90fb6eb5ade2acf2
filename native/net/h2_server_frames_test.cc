// Frames of wrong size, padding, flags, settings, windows and order, sent to the server.
#include "net/h2_server_case_test_support.h"

namespace skysail::net {
namespace {

constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;
constexpr uint32_t kFrameSize = NGHTTP2_FRAME_SIZE_ERROR;
constexpr uint32_t kFlowControl = NGHTTP2_FLOW_CONTROL_ERROR;
constexpr int32_t kReservedBit = INT32_MIN;
const std::string kMagic(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);

std::string Block() { return Headers(Request()); }
std::string Big(size_t size) { return std::string(size, 'x'); }
std::string PaddedBody(int padding, const std::string& body) {
  return std::string(1, static_cast<char>(padding)) + body +
         std::string(static_cast<size_t>(padding), '\0');
}

std::vector<H2Case> Preface() {
  return {
      {"MagicOfAnotherProtocol", "3.4", State::kNoPreface, "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
       kCloses},
      {"PingBeforeSettings", "3.4", State::kNoPreface, kMagic + Ping(), Goaway(kProtocol)},
      {"SettingsAckInsteadOfSettings", "3.4", State::kNoPreface, kMagic + SettingsAck(),
       Goaway(kProtocol)},
      {"SecondSettingsAck", "6.5", State::kIdle, SettingsAck(), Goaway(kProtocol)},
  };
}

std::vector<H2Case> Shape() {
  return {
      {"DataAtTheSizeLimit", "4.2", State::kIdle,
       HeadersFrame(1, Request("/t.T/EchoStream")) +
           Data(1, std::string("\0\0\0\x3f\xfb", 5) + Big(16379)) + RstStream(1),
       kGone},
      {"DataOverTheSizeLimit", "4.2", State::kOpen, Data(1, Big(16385)), Goaway(kFrameSize)},
      {"HeadersOverTheSizeLimit", "4.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders, 1, Big(16385)), Goaway(kFrameSize)},
      {"UnknownTypeOverTheSizeLimit", "4.2", State::kIdle,
       Frame(kUnknownType, 0, 0, Big(16385)), Goaway(kFrameSize)},
      {"ReservedBitOfTheStream", "4.1", State::kIdle,
       HeadersFrame(1 | kReservedBit, Request()) + Data(1 | kReservedBit, kMessage, kEndStream),
       kAnswered},
      {"UndefinedFlagsOfPing", "4.1", State::kIdle, Ping(0, 0xfe), kIgnored},
      {"UndefinedFlagsOfHeadersAndData", "4.1", State::kIdle,
       HeadersFrame(1, Request(), 0x92) + Data(1, kMessage, 0xf6 | kEndStream), kAnswered},
      {"PaddedData", "6.1", State::kOpen,
       Data(1, PaddedBody(200, kMessage), kPadded | kEndStream), kAnswered},
      {"DataOfPaddingOnly", "6.1", State::kOpen, Data(1, PaddedBody(7, ""), kPadded), kIgnored},
      {"PaddingAsLongAsTheData", "6.1", State::kOpen, Data(1, "\x04" "abc", kPadded),
       Goaway(kProtocol)},
      {"PaddedDataWithoutALength", "6.1", State::kOpen, Data(1, "", kPadded), Goaway(kProtocol)},
      {"PaddedHeaders", "6.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | kPadded, 1, PaddedBody(9, Block())) +
           Data(1, kMessage, kEndStream),
       kAnswered},
      {"PaddingLongerThanTheHeaders", "6.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | kPadded, 1, "\x7f" "abc"), Goaway(kProtocol)},
      {"PaddedHeadersWithoutALength", "6.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | kPadded, 1, ""), Goaway(kProtocol)},
      {"HeadersWithPriority", "6.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | NGHTTP2_FLAG_PRIORITY, 1, U32(0) + '\x10' + Block()) +
           Data(1, kMessage, kEndStream),
       kAnswered},
      {"HeadersTooShortForTheirPriority", "6.2", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | NGHTTP2_FLAG_PRIORITY, 1, "abcd"), Goaway(kFrameSize)},
      {"HeadersThatDependOnThemselves", "5.3", State::kIdle,
       Frame(NGHTTP2_HEADERS, kEndHeaders | NGHTTP2_FLAG_PRIORITY, 1, U32(1) + '\x10' + Block()),
       Goaway(kProtocol)},
      {"PriorityThatDependsOnItself", "5.3", State::kOpen, Priority(1, 1), kIgnored},
      {"PriorityOfFourBytes", "6.3", State::kOpen, Frame(NGHTTP2_PRIORITY, 0, 1, "abcd"),
       Goaway(kFrameSize)},
      {"RstStreamOfThreeBytes", "6.4", State::kOpen, Frame(NGHTTP2_RST_STREAM, 0, 1, "abc"),
       Goaway(kFrameSize)},
      {"RstStreamOfAnUnknownCode", "7", State::kOpen, RstStream(1, 0xff), kGone},
      {"PingOfSevenBytes", "6.7", State::kIdle, Ping(0, 0, "1234567"), Goaway(kFrameSize)},
      {"PingAckThatNobodyAskedFor", "6.7", State::kIdle, Ping(0, NGHTTP2_FLAG_ACK), kIgnored},
      {"GoawayOfSevenBytes", "6.8", State::kIdle, Frame(NGHTTP2_GOAWAY, 0, 0, "1234567"),
       Goaway(kFrameSize)},
      {"GoawayOfAnUnknownCode", "7", State::kIdle, GoawayFrame(0, 0xff), kLeaves},
      {"WindowUpdateOfThreeBytes", "6.9", State::kIdle, Frame(NGHTTP2_WINDOW_UPDATE, 0, 0, "abc"),
       Goaway(kFrameSize)},
  };
}

std::vector<H2Case> SettingsAndWindows() {
  return {
      {"SettingsOfFiveBytes", "6.5", State::kIdle, Frame(NGHTTP2_SETTINGS, 0, 0, "abcde"),
       Goaway(kFrameSize)},
      {"SettingsAckWithAPayload", "6.5", State::kIdle,
       Frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "abcdef"), Goaway(kFrameSize)},
      {"UnknownSetting", "6.5.2", State::kIdle, Settings({{0xff, 1}}), kIgnored},
      {"EnablePushOfTwo", "6.5.2", State::kIdle, Settings({{NGHTTP2_SETTINGS_ENABLE_PUSH, 2}}),
       Goaway(kProtocol)},
      {"InitialWindowOver31Bits", "6.5.2", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000}}), Goaway(kFlowControl)},
      {"MaxFrameSizeBelowTheDefault", "6.5.2", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16383}}), Goaway(kProtocol)},
      {"MaxFrameSizeOver24Bits", "6.5.2", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 24}}), Goaway(kProtocol)},
      {"SameSettingTwiceCountsInOrder", "6.5.3", State::kOpen,
       Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1},
                 {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}),
       kIgnored},
      {"HeaderTableOfNothing", "6.5.2", State::kOpen,
       Settings({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0}}), kIgnored},
      {"WindowOfOneByteIsKeptAndWidened", "6.9.1", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1}}) + Call(1) +
           Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}}),
       kAnswered},
      {"WindowBelowZeroIsFilledFirst", "6.9.2", State::kIdle,
       Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 3}}) + Call(1) +
           Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}}) + WindowUpdate(1, 100) +
           Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65535}}),
       kAnswered},
      {"ZeroIncrementOfTheConnection", "6.9", State::kIdle, WindowUpdate(0, 0), Goaway(kProtocol)},
      {"ZeroIncrementOfAStream", "6.9", State::kOpen, WindowUpdate(1, 0), Goaway(kProtocol)},
      {"IncrementsOverTheConnectionsWindow", "6.9.1", State::kIdle,
       WindowUpdate(0, 0x7fffffff), Goaway(kFlowControl)},
      {"IncrementsOverAStreamsWindow", "6.9.1", State::kOpen, WindowUpdate(1, 0x7fffffff),
       Reset(kFlowControl)},
      {"InitialWindowThatOverflowsAStreams", "6.9.2", State::kOpen,
       WindowUpdate(1, 0x7fffffff - 65535) +
           Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 65536}}),
       Reset(kFlowControl)},
  };
}

std::vector<H2Case> Continuations() {
  const std::string first = Block().substr(0, 20);
  const std::string rest = Block().substr(20);
  const std::string begun = Frame(NGHTTP2_HEADERS, 0, 1, first);
  return {
      {"HeadersInThreeFrames", "6.10", State::kIdle,
       begun + Continuation(1, rest.substr(0, 9), 0) + Continuation(1, rest.substr(9)) +
           Data(1, kMessage, kEndStream),
       kAnswered},
      {"EmptyContinuations", "6.10", State::kIdle,
       Frame(NGHTTP2_HEADERS, 0, 1, "") + Continuation(1, "", 0) + Continuation(1, Block()) +
           Data(1, kMessage, kEndStream),
       kAnswered},
      {"PaddingFlagOfContinuationMeansNothing", "6.10", State::kIdle,
       begun + Continuation(1, rest, kEndHeaders | kPadded) + Data(1, kMessage, kEndStream),
       kAnswered},
      {"DataInsideAHeaderBlock", "6.2", State::kIdle, begun + Data(1, kMessage), Goaway(kProtocol)},
      {"PriorityInsideAHeaderBlock", "6.2", State::kIdle, begun + Priority(1), Goaway(kProtocol)},
      {"SettingsInsideAHeaderBlock", "6.2", State::kIdle, begun + Settings({}), Goaway(kProtocol)},
      {"PingInsideAHeaderBlock", "6.2", State::kIdle, begun + Ping(), Goaway(kProtocol)},
      {"RstStreamInsideAHeaderBlock", "6.2", State::kIdle, begun + RstStream(1),
       Goaway(kProtocol)},
      {"WindowUpdateInsideAHeaderBlock", "6.2", State::kIdle, begun + WindowUpdate(1, 1),
       Goaway(kProtocol)},
      {"UnknownTypeInsideAHeaderBlock", "5.5", State::kIdle, begun + Frame(kUnknownType, 0, 1, "x"),
       Goaway(kProtocol)},
      {"HeadersOfAnotherStreamInsideAHeaderBlock", "6.2", State::kIdle,
       begun + HeadersFrame(3, Request()), Goaway(kProtocol)},
      {"ContinuationOfAnotherStream", "6.10", State::kIdle, begun + Continuation(3, rest),
       Goaway(kProtocol)},
      {"ContinuationOfTheConnection", "6.10", State::kIdle, begun + Continuation(0, rest),
       Goaway(kProtocol)},
      {"ContinuationAfterTheEndOfHeaders", "6.10", State::kIdle,
       begun + Continuation(1, rest) + Continuation(1, ""), Goaway(kProtocol)},
  };
}

std::vector<H2Case> StreamIds() {
  return {
      {"LowerStreamThatWasSkipped", "5.1.1", State::kIdle, Call(5) + HeadersFrame(3, Request()),
       Goaway(kProtocol)},
      {"StreamUsedAgain", "5.1.1", State::kClosed, HeadersFrame(1, Request()), Goaway(kProtocol)},
      {"TrailersThatCrossedTheServersReset", "5.1", State::kResetByUs,
       HeadersFrame(1, {{"x", "y"}}, kEndStream), kIgnored},
      {"DataThatCrossedTheServersReset", "5.1", State::kResetByUs, Data(1, kMessage, kEndStream),
       kIgnored},
      {"PushToTheServer", "8.4", State::kOpen, PushPromise(1, 2, Request()), Goaway(kProtocol)},
  };
}

class ServerFrames : public ServerCase, public ::testing::WithParamInterface<H2Case> {};
TEST_P(ServerFrames, EndAsTheyMust) { Run(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Preface, ServerFrames, ::testing::ValuesIn(Preface()), CaseName);
INSTANTIATE_TEST_SUITE_P(Shape, ServerFrames, ::testing::ValuesIn(Shape()), CaseName);
INSTANTIATE_TEST_SUITE_P(Windows, ServerFrames, ::testing::ValuesIn(SettingsAndWindows()),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(Blocks, ServerFrames, ::testing::ValuesIn(Continuations()), CaseName);
INSTANTIATE_TEST_SUITE_P(StreamIds, ServerFrames, ::testing::ValuesIn(StreamIds()), CaseName);

}  // namespace
}  // namespace skysail::net
