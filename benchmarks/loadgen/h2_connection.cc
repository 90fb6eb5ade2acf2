#include "loadgen/h2_connection.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace skysail::loadgen {
namespace {

constexpr size_t kFrameHeader = 9;
constexpr size_t kGrpcPrefix = 5;
constexpr uint32_t kLargestRequest = 16384;
constexpr uint32_t kMaxWindow = 0x7fffffff;
constexpr uint64_t kUpdateAfter = 1 << 30;
constexpr int kDefaultTable = 4096;
constexpr int kFirstDynamicIndex = 62;

uint32_t ReadU32(std::string_view bytes) {
  const auto* b = reinterpret_cast<const unsigned char*>(bytes.data());
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

void AppendU32(std::string* to, uint32_t value) {
  const char bytes[4] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
                         static_cast<char>(value >> 8), static_cast<char>(value)};
  to->append(bytes, sizeof bytes);
}

// HPACK's integer with a prefix of `bits`, under `pattern`.
void AppendHpackInt(std::string* to, unsigned pattern, int bits, uint32_t value) {
  const uint32_t limit = (1u << bits) - 1;
  if (value < limit) {
    to->push_back(static_cast<char>(pattern | value));
    return;
  }
  to->push_back(static_cast<char>(pattern | limit));
  for (value -= limit; value >= 0x80; value >>= 7) to->push_back(static_cast<char>(value | 0x80));
  to->push_back(static_cast<char>(value));
}

void AppendHpackString(std::string* to, std::string_view text) {
  AppendHpackInt(to, 0, 7, static_cast<uint32_t>(text.size()));
  to->append(text);
}

unsigned RoundUpToPowerOfTwo(unsigned value) {
  unsigned power = 1;
  while (power < value) power *= 2;
  return power;
}

// True when every field is one byte that names a table entry: such a block changes no table.
bool OnlyIndexes(std::string_view block) {
  return std::all_of(block.begin(), block.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 && byte != 0xff;
  });
}

int ParseStatus(const nghttp2_nv& field) {
  int value = 0;
  for (size_t i = 0; i < field.valuelen; ++i) {
    if (field.value[i] < '0' || field.value[i] > '9' || value > 999) return 2;  // UNKNOWN
    value = 10 * value + (field.value[i] - '0');
  }
  return value;
}

// Drops padding and, with `priority`, the priority fields. False when they do not fit.
bool Unpad(uint8_t flags, bool priority, std::string_view* payload) {
  if (flags & NGHTTP2_FLAG_PADDED) {
    if (payload->empty()) return false;
    const auto padding = static_cast<unsigned char>(payload->front());
    payload->remove_prefix(1);
    if (payload->size() < padding) return false;
    payload->remove_suffix(padding);
  }
  if (priority && (flags & NGHTTP2_FLAG_PRIORITY)) {
    if (payload->size() < 5) return false;
    payload->remove_prefix(5);
  }
  return true;
}

}  // namespace

H2Connection::H2Connection(const Options& options, const Bodies* bodies, CallSink* sink)
    : Connection(options, bodies, sink),
      largest_(bodies->largest_request()),
      wanted_streams_(options.streams),
      max_streams_(options.streams),
      streams_(RoundUpToPowerOfTwo(4 * options.streams)) {
  if (largest_ > kLargestRequest) {
    std::fprintf(stderr, "loadgen: a request of %u bytes is too long for one frame\n", largest_);
    std::exit(2);
  }
  nghttp2_hd_inflate_new(&inflater_);

  // Static table: 0x83 is ":method: POST", 0x86 ":scheme: http"; 4, 1 and 31 are the names :path,
  // :authority and content-type. The rest enters the dynamic table, newest first.
  first_headers_ = "\x83\x86";
  AppendHpackInt(&first_headers_, 0x40, 6, 4);
  AppendHpackString(&first_headers_, options.path);
  AppendHpackInt(&first_headers_, 0x40, 6, 1);
  AppendHpackString(&first_headers_, options.target);
  AppendHpackInt(&first_headers_, 0x40, 6, 31);
  AppendHpackString(&first_headers_, "application/grpc");
  std::vector<std::pair<std::string, std::string>> named = {{"te", "trailers"}};
  named.insert(named.end(), options.headers.begin(), options.headers.end());
  for (const auto& [name, value] : named) {
    first_headers_.push_back(0x40);
    AppendHpackString(&first_headers_, name);
    AppendHpackString(&first_headers_, value);
  }
  later_headers_ = "\x83\x86";
  const int entries = 3 + static_cast<int>(named.size());
  for (int i = 0; i < entries; ++i) {
    AppendHpackInt(&later_headers_, 0x80, 7,
                   static_cast<uint32_t>(kFirstDynamicIndex + entries - 1 - i));
  }

  // Windows so large that one update serves a thousand million bytes.
  out_ = NGHTTP2_CLIENT_MAGIC;
  AppendFrameHeader(6, NGHTTP2_SETTINGS, 0, 0);
  out_.push_back(0);
  out_.push_back(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
  AppendU32(&out_, kMaxWindow);
  AppendFrameHeader(4, NGHTTP2_WINDOW_UPDATE, 0, 0);
  AppendU32(&out_, kMaxWindow - 65535);
}

H2Connection::~H2Connection() { nghttp2_hd_inflate_del(inflater_); }

void H2Connection::AppendFrameHeader(size_t size, uint8_t type, uint8_t flags, uint32_t stream) {
  const char head[5] = {static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                        static_cast<char>(size), static_cast<char>(type),
                        static_cast<char>(flags)};
  out_.append(head, sizeof head);
  AppendU32(&out_, stream);
}

void H2Connection::Start(const Call& call) {
  // A slow answer may still hold the next slot; identifiers may be skipped.
  const size_t mask = streams_.size() - 1;
  while (streams_[next_stream_ / 2 & mask].id != 0) next_stream_ += 2;
  Stream& stream = streams_[next_stream_ / 2 & mask];
  stream.id = next_stream_;
  stream.call = call;
  stream.info = HeaderInfo();
  stream.message.clear();

  const std::string& headers = next_stream_ == 1 ? first_headers_ : later_headers_;
  AppendFrameHeader(headers.size(), NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, next_stream_);
  out_ += headers;
  const size_t size = bodies_.request(call.body).size();
  AppendFrameHeader(size, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, next_stream_);
  AppendRequest(call.body);
  window_ -= static_cast<int64_t>(size);
  next_stream_ += 2;
  ++outstanding_;
}

int64_t H2Connection::Consume(std::string_view data) {
  const size_t all = data.size();
  while (data.size() >= kFrameHeader) {
    const size_t size = ReadU32(data) >> 8;
    if (data.size() - kFrameHeader < size) break;
    Frame frame;
    frame.type = static_cast<uint8_t>(data[3]);
    frame.flags = static_cast<uint8_t>(data[4]);
    frame.stream = ReadU32(data.substr(5)) & kMaxWindow;
    frame.payload = data.substr(kFrameHeader, size);
    data.remove_prefix(kFrameHeader + size);
    if (!OnFrame(frame)) return -1;
  }
  return static_cast<int64_t>(all - data.size());
}

bool H2Connection::OnFrame(const Frame& frame) {
  switch (frame.type) {
    case NGHTTP2_DATA:
      return OnData(frame);
    case NGHTTP2_HEADERS:
      return OnHeaders(frame);
    case NGHTTP2_CONTINUATION:
      if (frame.stream != continued_stream_) return false;
      continued_ += frame.payload;
      if (!(frame.flags & NGHTTP2_FLAG_END_HEADERS)) return true;
      continued_stream_ = 0;
      return OnHeaderBlock(frame.stream, continued_end_stream_, continued_);
    case NGHTTP2_SETTINGS:
      return OnSettings(frame);
    case NGHTTP2_WINDOW_UPDATE:
      return OnWindowUpdate(frame);
    case NGHTTP2_PING:
      if (frame.flags & NGHTTP2_FLAG_ACK) return true;
      AppendFrameHeader(frame.payload.size(), NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0);
      out_ += frame.payload;
      return true;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = Find(frame.stream)) {
        stream->id = 0;
        --outstanding_;
        sink_.OnFailure(stream->call, "reset");
      }
      return true;
    case NGHTTP2_GOAWAY:
      return false;
    default:
      return true;
  }
}

bool H2Connection::OnHeaders(const Frame& frame) {
  std::string_view block = frame.payload;
  if (!Unpad(frame.flags, true, &block)) return false;
  const bool end_stream = frame.flags & NGHTTP2_FLAG_END_STREAM;
  if (frame.flags & NGHTTP2_FLAG_END_HEADERS) {
    return OnHeaderBlock(frame.stream, end_stream, block);
  }
  continued_ = block;
  continued_stream_ = frame.stream;
  continued_end_stream_ = end_stream;
  return true;
}

bool H2Connection::OnHeaderBlock(uint32_t id, bool end_stream, std::string_view block) {
  HeaderInfo info;
  if (!Inflate(block, &info)) return false;
  Stream* stream = Find(id);
  if (stream == nullptr) return true;
  if (info.http_status >= 0) stream->info.http_status = info.http_status;
  if (info.grpc_status >= 0) stream->info.grpc_status = info.grpc_status;
  if (end_stream) Finish(stream);
  return true;
}

bool H2Connection::Inflate(std::string_view block, HeaderInfo* info) {
  const bool only_indexes = OnlyIndexes(block);
  if (only_indexes) {
    for (const Memo& memo : memos_) {
      if (memo.block == block) {
        *info = memo.info;
        return true;
      }
    }
  } else {
    for (Memo& memo : memos_) memo.block.clear();
  }
  const auto* in = reinterpret_cast<const uint8_t*>(block.data());
  size_t left = block.size();
  for (;;) {
    nghttp2_nv field;
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
    if (used < 0) return false;
    in += used;
    left -= static_cast<size_t>(used);
    if (flags & NGHTTP2_HD_INFLATE_EMIT) {
      const std::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
      if (name == "grpc-status") info->grpc_status = ParseStatus(field);
      if (name == ":status") info->http_status = ParseStatus(field);
    }
    if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
    if (left == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT)) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_);
  if (only_indexes) memos_[next_memo_++ % 2] = {std::string(block), *info};
  return true;
}

bool H2Connection::OnData(const Frame& frame) {
  std::string_view data = frame.payload;
  received_ += data.size();
  if (received_ >= kUpdateAfter) {
    AppendFrameHeader(4, NGHTTP2_WINDOW_UPDATE, 0, 0);
    AppendU32(&out_, static_cast<uint32_t>(received_));
    received_ = 0;
  }
  if (!Unpad(frame.flags, false, &data)) return false;
  Stream* stream = Find(frame.stream);
  if (stream == nullptr) return true;
  stream->message += data;
  if (frame.flags & NGHTTP2_FLAG_END_STREAM) Finish(stream);
  return true;
}

bool H2Connection::OnSettings(const Frame& frame) {
  if (frame.flags & NGHTTP2_FLAG_ACK) return true;
  for (std::string_view rest = frame.payload; rest.size() >= 6; rest.remove_prefix(6)) {
    const unsigned id = ReadU32(rest) >> 16;
    const uint32_t value = ReadU32(rest.substr(2));
    if (id == NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) {
      max_streams_ = std::min(wanted_streams_, value);
    }
    // The headers that every call refers to must stay in the peer's table.
    if (id == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE && value < kDefaultTable) return false;
    if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value < largest_) return false;
  }
  AppendFrameHeader(0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
  return true;
}

bool H2Connection::OnWindowUpdate(const Frame& frame) {
  if (frame.payload.size() != 4) return false;
  if (frame.stream == 0) window_ += ReadU32(frame.payload) & kMaxWindow;
  return true;  // a stream's own window holds a whole request from the start
}

void H2Connection::Finish(Stream* stream) {
  stream->id = 0;
  --outstanding_;
  const HeaderInfo& info = stream->info;
  const std::string_view message = stream->message;
  if (info.http_status != 200) {
    sink_.OnFailure(stream->call, "http-" + std::to_string(info.http_status));
  } else if (info.grpc_status != 0) {
    const std::string code = info.grpc_status < 0 ? "missing" : std::to_string(info.grpc_status);
    sink_.OnFailure(stream->call, "grpc-" + code);
  } else if (message.size() < kGrpcPrefix || message[0] != 0 ||
             ReadU32(message.substr(1)) != message.size() - kGrpcPrefix) {
    sink_.OnFailure(stream->call, "framing");  // not exactly one uncompressed message
  } else {
    sink_.OnAnswer(stream->call, message.substr(kGrpcPrefix));
  }
}

H2Connection::Stream* H2Connection::Find(uint32_t id) {
  Stream& stream = streams_[id / 2 & (streams_.size() - 1)];
  return stream.id == id && id != 0 ? &stream : nullptr;
}

void H2Connection::FailAll(std::string_view error) {
  for (Stream& stream : streams_) {
    if (stream.id == 0) continue;
    stream.id = 0;
    sink_.OnFailure(stream.call, error);
  }
}

}  // namespace skysail::loadgen
