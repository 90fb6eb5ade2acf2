// gRPC unary calls over HTTP/2, as cheaply as a client can.
//
// Every call has the same headers, so after the first one they are a fixed handful of indexes, as
// gRPC's own clients send them; frames are written and read here, and nghttp2's HPACK decoder reads
// the answers' headers. A block that only names indexes means the same until the table changes, so
// its meaning is remembered.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_H2_CONNECTION_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_H2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/connection.h"

namespace skysail::loadgen {

// Requests must fit one frame and the peer's initial stream window (16,384 bytes at least, both).
class H2Connection final : public Connection {
 public:
  H2Connection(const Options& options, const Bodies* bodies, CallSink* sink);
  ~H2Connection() override;

  bool CanStart() const override {
    return !failed() && outstanding_ < max_streams_ && window_ >= largest_;
  }
  void Start(const Call& call) override;

 private:
  struct Frame {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    std::string_view payload;
  };
  // What a header block says that matters here; -1: nothing.
  struct HeaderInfo {
    int http_status = -1;
    int grpc_status = -1;
  };
  struct Memo {
    std::string block;  // empty: unused
    HeaderInfo info;
  };
  struct Stream {
    uint32_t id = 0;  // 0: free
    Call call;
    HeaderInfo info;
    std::string message;  // with gRPC's prefix
  };

  int64_t Consume(std::string_view data) override;
  void FailAll(std::string_view error) override;

  // Each returns false when the peer broke the protocol or is leaving.
  bool OnFrame(const Frame& frame);
  bool OnHeaders(const Frame& frame);
  bool OnData(const Frame& frame);
  bool OnSettings(const Frame& frame);
  bool OnWindowUpdate(const Frame& frame);
  bool OnHeaderBlock(uint32_t stream, bool end_stream, std::string_view block);

  bool Inflate(std::string_view block, HeaderInfo* info);
  void Finish(Stream* stream);
  Stream* Find(uint32_t id);
  void AppendFrameHeader(size_t size, uint8_t type, uint8_t flags, uint32_t stream);

  const uint32_t largest_;       // bytes of the largest request
  const uint32_t wanted_streams_;
  uint32_t max_streams_;         // wanted, or what the peer allows if less
  int64_t window_ = 65535;       // of the connection, for sending
  uint64_t received_ = 0;        // data bytes since our last WINDOW_UPDATE
  uint32_t next_stream_ = 1;
  std::string first_headers_;    // puts the headers into the peer's table
  std::string later_headers_;    // and refers to them there
  std::vector<Stream> streams_;  // slot = id / 2 modulo size, a power of two
  nghttp2_hd_inflater* inflater_ = nullptr;
  Memo memos_[2];                // by turns: answers' headers and trailers
  unsigned next_memo_ = 0;
  std::string continued_;        // a header block whose end has not come
  uint32_t continued_stream_ = 0;
  bool continued_end_stream_ = false;
};

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_H2_CONNECTION_H_
