// Requests whose fields are malformed or badly compressed: RFC 9113, 8, and RFC 7541.
#include "net/h2_server_case_test_support.h"
#include "net/hpack_case_test_support.h"

namespace skysail::net {
namespace {

constexpr uint32_t kProtocol = NGHTTP2_PROTOCOL_ERROR;

H2Case Malformed(const char* name, const char* section, const Fields& fields) {
  return {name, section, State::kIdle, Call(1, fields), Reset(kProtocol)};
}
H2Case Served(const char* name, const char* section, const Fields& fields) {
  return {name, section, State::kIdle, Call(1, fields), kAnswered};
}

std::vector<H2Case> PseudoHeaders() {
  const Fields fields = Request();
  return {
      Malformed("WithoutMethod", "8.3.1", Without(fields, ":method")),
      Malformed("WithoutScheme", "8.3.1", Without(fields, ":scheme")),
      Malformed("WithoutPath", "8.3.1", Without(fields, ":path")),
      Malformed("WithoutAuthorityOrHost", "8.3.1", Without(fields, ":authority")),
      Served("HostInPlaceOfAuthority", "8.3.1",
             With(Without(fields, ":authority"), {{"host", "test"}})),
      Malformed("EmptyPath", "8.3.1", Changed(fields, ":path", "")),
      Malformed("PathWithoutASlash", "8.3.1", Changed(fields, ":path", "t.T/Echo")),
      Malformed("EmptyMethod", "8.3.1", Changed(fields, ":method", "")),
      Malformed("MethodTwice", "8.3.1", With({{":method", "POST"}}, fields)),
      Malformed("SchemeTwice", "8.3.1", With({{":scheme", "http"}}, fields)),
      Malformed("PathTwice", "8.3.1", With({{":path", "/t.T/Echo"}}, fields)),
      Malformed("AuthorityTwice", "8.3.1", With({{":authority", "test"}}, fields)),
      Malformed("UnknownPseudoHeader", "8.3", With({{":new", "x"}}, fields)),
      Malformed("StatusInARequest", "8.3", With({{":status", "200"}}, fields)),
      Malformed("PseudoHeaderAfterAField", "8.3", With({{"x", "y"}}, fields)),
      Malformed("ProtocolThatWasNotOffered", "8.5",
                With({{":protocol", "websocket"}}, Changed(fields, ":method", "CONNECT"))),
      {"PseudoHeaderInTrailers", "8.1", State::kOpen,
       HeadersFrame(1, {{":path", "/"}}, kEndStream), Reset(kProtocol)},
      {"TrailersAfterTheMessage", "8.1", State::kOpen,
       Data(1, kMessage) + HeadersFrame(1, {{"x", "y"}}, kEndStream), kAnswered},
      {"TrailersWithoutAnEnd", "8.1", State::kOpen,
       Data(1, kMessage) + HeadersFrame(1, {{"x", "y"}}), Reset(kProtocol)},
  };
}

std::vector<H2Case> OrdinaryFields() {
  const Fields fields = Request();
  std::vector<H2Case> cases = {
      Malformed("UpperCaseName", "8.2.1", With(fields, {{"Name", "x"}})),
      Malformed("EmptyName", "8.2.1", With(fields, {{"", "x"}})),
      Malformed("SpaceInAName", "8.2.1", With(fields, {{"a b", "x"}})),
      Malformed("ColonInAName", "8.2.1", With(fields, {{"a:b", "x"}})),
      Malformed("ControlCharacterInAName", "8.2.1", With(fields, {{"a\x01", "x"}})),
      Malformed("HighCharacterInAName", "8.2.1", With(fields, {{"a\x80", "x"}})),
      Malformed("ZeroInAValue", "8.2.1", With(fields, {{"x", std::string("a\0b", 3)}})),
      Malformed("NewlineInAValue", "8.2.1", With(fields, {{"x", "a\nb"}})),
      Malformed("ReturnInAValue", "8.2.1", With(fields, {{"x", "a\rb"}})),
      Served("SpaceAroundAValue", "8.2.1", With(fields, {{"x", " a "}})),
      Served("EmptyValue", "8.2.1", With(fields, {{"x", ""}})),
      Malformed("TeOtherThanTrailers", "8.2.2", Changed(fields, "te", "gzip")),
      Served("WithoutTe", "8.2.2", Without(fields, "te")),
      Served("ContentLengthThatFits", "8.1.1", With(fields, {{"content-length", "7"}})),
      Malformed("ContentLengthTooSmall", "8.1.1", With(fields, {{"content-length", "6"}})),
      Malformed("ContentLengthTooLarge", "8.1.1", With(fields, {{"content-length", "8"}})),
      Malformed("ContentLengthThatIsNoNumber", "8.1.1", With(fields, {{"content-length", "x"}})),
      Malformed("ContentLengthTwice", "8.1.1",
                With(fields, {{"content-length", "7"}, {"content-length", "7"}})),
      {"ContentLengthWithoutABody", "8.1.1", State::kIdle,
       HeadersFrame(1, With(fields, {{"content-length", "1"}}), kEndStream), Reset(kProtocol)},
      {"ContentLengthOfSeveralFrames", "8.1.1", State::kIdle,
       HeadersFrame(1, With(fields, {{"content-length", "8"}})) + Data(1, kMessage.substr(0, 4)) +
           Data(1, kMessage.substr(4), kEndStream),
       Reset(kProtocol)},
  };
  for (const char* name :
       {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}) {
    std::string title = std::string("ConnectionSpecificField_") + name;
    for (char& c : title) c = c == '-' ? '_' : c;
    cases.push_back(Malformed(title.c_str(), "8.2.2", With(fields, {{name, "x"}})));
  }
  return cases;
}

std::vector<H2Case> Compression() {
  std::vector<H2Case> cases;
  for (const HpackCase& c : HpackCases()) {
    const std::string block = c.before + Headers(Request()) + c.after;
    cases.push_back({c.name, c.section, State::kIdle,
                     Frame(NGHTTP2_HEADERS, kEndHeaders, 1, block) + Data(1, kMessage, kEndStream),
                     c.valid ? kAnswered : Goaway(NGHTTP2_COMPRESSION_ERROR)});
  }
  // The table belongs to the connection: fields that nobody reads change it all the same.
  cases.push_back({"BlockOfAResetStreamStillFillsTheTable", "2.2", State::kResetByUs,
                   Frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, "\x40\x01x\x01y") +
                       Frame(NGHTTP2_HEADERS, kEndHeaders, 3, Headers(Request()) + "\xbe") +
                       RstStream(3),
                   kIgnored});
  cases.push_back({"BrokenBlockOfAResetStream", "2.2", State::kResetByUs,
                   Frame(NGHTTP2_HEADERS, kEndHeaders | kEndStream, 1, "\x80"),
                   Goaway(NGHTTP2_COMPRESSION_ERROR)});
  return cases;
}

class ServerFields : public ServerCase, public ::testing::WithParamInterface<H2Case> {};
TEST_P(ServerFields, EndAsTheyMust) { Run(GetParam()); }
INSTANTIATE_TEST_SUITE_P(PseudoHeaders, ServerFields, ::testing::ValuesIn(PseudoHeaders()),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(Fields, ServerFields, ::testing::ValuesIn(OrdinaryFields()), CaseName);
INSTANTIATE_TEST_SUITE_P(Hpack, ServerFields, ::testing::ValuesIn(Compression()), CaseName);

}  // namespace
}  // namespace skysail::net
