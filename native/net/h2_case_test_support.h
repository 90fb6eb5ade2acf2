// HTTP/2 conformance cases as data: the state of stream 1, the bytes that a peer sends in it, and
// how that must end. docs/protocol.md says where an ending is not the RFC's first choice.
#ifndef SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_
#define SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/raw_peer_test_support.h"

namespace skysail::net {

inline constexpr uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;
inline constexpr uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
inline constexpr uint8_t kPadded = NGHTTP2_FLAG_PADDED;

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

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string U32(uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}
inline std::string Data(int32_t stream, std::string_view body, uint8_t flags = 0) {
  return Frame(NGHTTP2_DATA, flags, stream, body);
}
inline std::string HeadersFrame(int32_t stream, const Fields& fields, uint8_t flags = 0) {
  return Frame(NGHTTP2_HEADERS, static_cast<uint8_t>(kEndHeaders | flags), stream, Headers(fields));
}
inline std::string Priority(int32_t stream, int32_t depends_on = 0) {
  return Frame(NGHTTP2_PRIORITY, 0, stream, U32(static_cast<uint32_t>(depends_on)) + '\x10');
}
inline std::string RstStream(int32_t stream, uint32_t code = NGHTTP2_CANCEL) {
  return Frame(NGHTTP2_RST_STREAM, 0, stream, U32(code));
}
inline std::string Settings(std::initializer_list<std::pair<uint16_t, uint32_t>> entries,
                            int32_t stream = 0) {
  std::string payload;
  for (const auto& [id, value] : entries) {
    payload.push_back(static_cast<char>(id >> 8));
    payload.push_back(static_cast<char>(id));
    payload += U32(value);
  }
  return Frame(NGHTTP2_SETTINGS, 0, stream, payload);
}
inline std::string SettingsAck() { return Frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""); }
inline std::string PushPromise(int32_t stream, int32_t promised, const Fields& fields) {
  return Frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, stream,
               U32(static_cast<uint32_t>(promised)) + Headers(fields));
}
inline std::string Ping(int32_t stream = 0, uint8_t flags = 0, std::string_view body = "12345678") {
  return Frame(NGHTTP2_PING, flags, stream, body);
}
inline std::string GoawayFrame(int32_t last, uint32_t code = 0, int32_t stream = 0) {
  return Frame(NGHTTP2_GOAWAY, 0, stream, U32(static_cast<uint32_t>(last)) + U32(code));
}
inline std::string WindowUpdate(int32_t stream, uint32_t increment) {
  return Frame(NGHTTP2_WINDOW_UPDATE, 0, stream, U32(increment));
}
inline std::string Continuation(int32_t stream, std::string_view block,
                                uint8_t flags = kEndHeaders) {
  return Frame(NGHTTP2_CONTINUATION, flags, stream, block);
}
inline constexpr uint8_t kUnknownType = 0x4f;

inline const std::string kMessage("\0\0\0\0\2hi", 7);
inline Fields Request(std::string_view path = "/t.T/Echo") {
  return CallHeaders(std::string(path));
}
inline Fields With(Fields fields, Fields more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
inline Fields Without(Fields fields, std::string_view name) {
  Fields kept;
  for (auto& field : fields) {
    if (field.first != name) kept.push_back(std::move(field));
  }
  return kept;
}
inline Fields Changed(Fields fields, std::string_view name, std::string_view value) {
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fields;
}
// A whole call of Echo on `stream`.
inline std::string Call(int32_t stream, const Fields& fields = Request()) {
  return HeadersFrame(stream, fields) + Data(stream, kMessage, kEndStream);
}

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_CASE_TEST_SUPPORT_H_
