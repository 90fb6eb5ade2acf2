// HTTP/2 frames written by hand, right ones and wrong ones.
#ifndef SKYSAIL_NET_H2_FRAMES_TEST_SUPPORT_H_
#define SKYSAIL_NET_H2_FRAMES_TEST_SUPPORT_H_

#include <nghttp2/nghttp2.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skysail::net {

inline constexpr uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;
inline constexpr uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
inline constexpr uint8_t kPadded = NGHTTP2_FLAG_PADDED;

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string Frame(uint8_t type, uint8_t flags, int32_t stream, std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
  return frame.append(payload);
}

// Header fields as HPACK literals; names and values under 127 bytes.
inline std::string Headers(const Fields& fields) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block.push_back('\0');
    block.append(1, static_cast<char>(name.size())).append(name);
    block.append(1, static_cast<char>(value.size())).append(value);
  }
  return block;
}

// The header fields of a call.
inline Fields Request(std::string_view path = "/t.T/Echo") {
  return {{":method", "POST"},         {":scheme", "http"},
          {":path", std::string(path)}, {":authority", "test"},
          {"te", "trailers"},          {"content-type", "application/grpc"}};
}

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
inline std::string ClientPreface() { return NGHTTP2_CLIENT_MAGIC + Settings({}); }
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

#endif  // SKYSAIL_NET_H2_FRAMES_TEST_SUPPORT_H_
