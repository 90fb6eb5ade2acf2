// What a channel makes of each way in which a server can end a call: gRPC's rules, as the table in docs/protocol.md has them.
#include "net/h2_client_case_test_support.h"

namespace skysail::net {
namespace {

using Kind = ErrorKind;

struct Rule {
  std::string name;
  std::string bytes;  // that follow the request on stream 1
  Kind kind;
  std::string says;  // in the status's message
  size_t messages = 0;
};
void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.name; }

std::string Begin(const Fields& more = {}) { return HeadersFrame(1, With(Response(), more)); }
std::string End(const Fields& trailers) { return HeadersFrame(1, trailers, kEndStream); }
std::string TrailersOnly(const Fields& more, const std::string& http = "200") {
  return HeadersFrame(1, With(Changed(Response(), ":status", http), more), kEndStream);
}
// A status with a message and another field of `bytes` together, which Headers could not write.
std::string LargeTrailers(size_t bytes) {
  std::string block = Headers({{"grpc-status", "5"}});
  for (const std::string_view name : {"grpc-message", "x-what-more-s"}) {
    block.push_back('\0');
    block.append(1, static_cast<char>(name.size())).append(name);
    block.push_back('\x7f');  // a value whose length takes more than seven bits
    for (size_t rest = bytes / 2 - 127;; rest >>= 7) {
      block.push_back(static_cast<char>(rest >= 128 ? (rest & 127) | 128 : rest));
      if (rest < 128) break;
    }
    block += std::string(bytes / 2, 'm');
  }
  std::string frames;
  for (size_t at = 0; at < block.size(); at += 16384) {
    const std::string part = block.substr(at, 16384);
    const uint8_t last = at + 16384 >= block.size() ? kEndHeaders : 0;
    frames += at == 0 ? Frame(NGHTTP2_HEADERS, last | kEndStream, 1, part) : Continuation(1, part, last);
  }
  return frames;
}

std::vector<Rule> Endings() {
  return {
      {"StatusAndMessage", TrailersOnly({{"grpc-status", "5"}, {"grpc-message", "no%20such%21"}}),
       Kind::kNotFound, "no such!"},
      {"StatusAfterMessages", Begin() + Data(1, kMessage) + End({{"grpc-status", "9"}}),
       Kind::kFailedPrecondition, "", 1},
      {"WithoutStatus", Begin() + Data(1, kMessage) + End({{"x", "y"}}), Kind::kUnknown, "no grpc-status", 1},
      {"MessageWithoutStatus", Begin() + End({{"grpc-message", "m"}}), Kind::kUnknown, "no grpc-status"},
      {"DataThatEndsTheStream", Begin() + Data(1, kMessage, kEndStream), Kind::kUnknown, "no grpc-status", 1},
      {"EndInTheMiddleOfAMessage", Begin() + Data(1, kMessage.substr(0, 6), kEndStream), Kind::kInternal,
       "middle of a message"},
      {"StatusBeforeTheEndAlone", Begin({{"grpc-status", "0"}}) + Data(1, kMessage) + End({{"x", "y"}}),
       Kind::kUnknown, "no grpc-status", 1},
      {"StatusBeforeTheEndAndAtIt", Begin({{"grpc-status", "0"}}) + End({{"grpc-status", "7"}}),
       Kind::kPermissionDenied, ""},
      {"StatusTwice", Begin() + End({{"grpc-status", "0"}, {"grpc-status", "13"}}), Kind::kInternal,
       "more than one grpc-status"},
      {"StatusOfNoKnownCode", Begin() + End({{"grpc-status", "99"}}), Kind::kUnknown, ""},
      {"StatusThatIsNoNumber", Begin() + End({{"grpc-status", "5x"}}), Kind::kUnknown, ""},
      {"StatusOfTooManyDigits", Begin() + End({{"grpc-status", "99999999999999999999"}}), Kind::kUnknown, ""},
      {"StatusBelowZero", Begin() + End({{"grpc-status", "-1"}}), Kind::kUnknown, ""},
      {"EmptyStatus", Begin() + End({{"grpc-status", ""}}), Kind::kUnknown, ""},
      {"MessageThatIsNotPercentEncoded", Begin() + End({{"grpc-status", "5"}, {"grpc-message", "50% %zz %4"}}),
       Kind::kNotFound, "50% %zz %4"},
      {"MessageOverTheLimit", Begin() + LargeTrailers(70'000), Kind::kResourceExhausted, "exceeds the limit"},
      {"BinaryTrailerThatIsNoBase64", Begin() + End({{"grpc-status", "0"}, {"x-bin", "*"}}), Kind::kInternal,
       "'x-bin'"},
      {"BinaryHeaderThatIsNoBase64", Begin({{"x-bin", "*"}}), Kind::kInternal, "'x-bin'"},
      {"UnknownEncoding", Begin({{"grpc-encoding", "snappy"}}), Kind::kInternal, "'snappy'"},
      {"CompressedMessageWithoutAnEncoding", Begin() + Data(1, std::string("\1\0\0\0\2hi", 7)),
       Kind::kInternal, "no grpc-encoding"},
      {"UnknownFlagOfAMessage", Begin() + Data(1, std::string("\2\0\0\0\2hi", 7)), Kind::kInternal,
       "flag byte 2"},
      {"MessageOverTheSizeLimit", Begin() + Data(1, std::string("\0\x7f\0\0\0", 5)),
       Kind::kResourceExhausted, "exceeds the limit"},
      {"OtherContentType", HeadersFrame(1, Changed(Response(), "content-type", "text/html")), Kind::kUnknown,
       "not of type application/grpc"},
      {"NoContentType", HeadersFrame(1, {{":status", "200"}}), Kind::kUnknown, "not of type application/grpc"},
      {"ContentTypeThatOnlyBeginsAlike",
       HeadersFrame(1, Changed(Response(), "content-type", "application/grpcx")), Kind::kUnknown,
       "not of type application/grpc"},
      {"ContentTypeWithASubtype",
       HeadersFrame(1, Changed(Response(), "content-type", "application/grpc+proto")) +
           End({{"grpc-status", "5"}}), Kind::kNotFound, ""},
      {"TrailersOnlyWithoutStatus", TrailersOnly({}), Kind::kUnknown, "no grpc-status"},
      {"TrailersOnlyOfAnErrorOfHttp", TrailersOnly({}, "503"), Kind::kUnavailable, "HTTP status 503"},
      {"StatusOfGrpcBesideOneOfHttp", TrailersOnly({{"grpc-status", "5"}}, "503"), Kind::kNotFound, ""},
      {"StatusInAnInformationalAnswer",
       HeadersFrame(1, {{":status", "103"}, {"grpc-status", "0"}}) + Begin() + End({{"x", "y"}}),
       Kind::kUnknown, "no grpc-status"},
      {"BrokenFieldInAnInformationalAnswer",
       HeadersFrame(1, {{":status", "103"}, {"x-bin", "*"}}) + Begin() + End({{"grpc-status", "5"}}),
       Kind::kNotFound, ""},
  };
}

std::vector<Rule> HttpStatuses() {
  std::vector<Rule> rules;
  const std::vector<std::pair<int, Kind>> statuses = {
      {204, Kind::kUnknown},     {301, Kind::kUnknown},          {400, Kind::kInternal},
      {401, Kind::kUnauthenticated}, {403, Kind::kPermissionDenied}, {404, Kind::kUnimplemented},
      {418, Kind::kUnknown},     {429, Kind::kUnavailable},      {500, Kind::kUnknown},
      {502, Kind::kUnavailable}, {503, Kind::kUnavailable},      {504, Kind::kUnavailable}};
  for (const auto& [status, kind] : statuses) {
    const std::string text = std::to_string(status);
    rules.push_back({"Http" + text, HeadersFrame(1, {{":status", text}, {"content-type", "text/html"}}), kind,
                     "HTTP status " + text});
  }
  return rules;
}

std::vector<Rule> Resets() {
  std::vector<Rule> rules;
  const std::vector<std::pair<uint32_t, Kind>> codes = {
      {NGHTTP2_NO_ERROR, Kind::kInternal},
      {NGHTTP2_PROTOCOL_ERROR, Kind::kInternal},
      {NGHTTP2_INTERNAL_ERROR, Kind::kInternal},
      {NGHTTP2_FLOW_CONTROL_ERROR, Kind::kInternal},
      {NGHTTP2_SETTINGS_TIMEOUT, Kind::kInternal},
      {NGHTTP2_STREAM_CLOSED, Kind::kUnknown},
      {NGHTTP2_FRAME_SIZE_ERROR, Kind::kInternal},
      {NGHTTP2_REFUSED_STREAM, Kind::kUnavailable},
      {NGHTTP2_CANCEL, Kind::kCancelled},
      {NGHTTP2_COMPRESSION_ERROR, Kind::kInternal},
      {NGHTTP2_CONNECT_ERROR, Kind::kInternal},
      {NGHTTP2_ENHANCE_YOUR_CALM, Kind::kResourceExhausted},
      {NGHTTP2_INADEQUATE_SECURITY, Kind::kPermissionDenied},
      {NGHTTP2_HTTP_1_1_REQUIRED, Kind::kUnknown},
      {0xffff, Kind::kUnknown}};
  for (const auto& [code, kind] : codes) {
    const std::string name = "Reset" + std::to_string(code);
    rules.push_back({name, RstStream(1, code), kind, "reset the stream"});
    rules.push_back({name + "AfterMessages", Begin() + Data(1, kMessage) + RstStream(1, code), kind,
                     "reset the stream", 1});
  }
  rules.push_back({"ResetAfterTheStatus", Begin() + End({{"grpc-status", "5"}}) + RstStream(1, NGHTTP2_NO_ERROR),
                   Kind::kNotFound, ""});
  return rules;
}

class ClientRules : public ClientCase, public ::testing::WithParamInterface<Rule> {};

TEST_P(ClientRules, Hold) {
  const Rule& rule = GetParam();
  Enter(State::kOpen);
  if (HasFatalFailure()) return;
  peer_->Send(rule.bytes);
  ASSERT_TRUE(client_.Finish(*call_));
  EXPECT_EQ(call_->status().kind(), rule.kind) << call_->status().ToString();
  EXPECT_NE(call_->status().message().find(rule.says), std::string::npos) << call_->status().message();
  EXPECT_EQ(call_->messages.size(), rule.messages);
  // The connection is none the worse for it.
  StartCall();
  if (HasFatalFailure()) return;
  peer_->Send(Answer(asked_));
  ExpectAnswered();
}

std::string RuleName(const ::testing::TestParamInfo<Rule>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Endings, ClientRules, ::testing::ValuesIn(Endings()), RuleName);
INSTANTIATE_TEST_SUITE_P(Http, ClientRules, ::testing::ValuesIn(HttpStatuses()), RuleName);
INSTANTIATE_TEST_SUITE_P(Resets, ClientRules, ::testing::ValuesIn(Resets()), RuleName);

}  // namespace
}  // namespace skysail::net
