// Headers on their way to nghttp2, which copies what is not static. Lives on the stack for one
// submission.
#ifndef SKYSAIL_NET_HEADER_LIST_H_
#define SKYSAIL_NET_HEADER_LIST_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <forward_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "net/metadata.h"

namespace skysail::net {

// What HTTP/2 adds to each header when it counts the size of a header list.
inline constexpr size_t kHeaderOverhead = 32;

// A header of static storage: indexed by HPACK, never copied.
inline nghttp2_nv StaticHeader(std::string_view name, std::string_view value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

class HeaderList {
 public:
  void AddStatic(std::string_view name, std::string_view value) {
    Push(StaticHeader(name, value));
  }
  // `value` must live until the submission. With `once`, HPACK does not remember it.
  void Add(std::string_view name, std::string_view value, bool once = false);
  // grpc-status and, unless ok, grpc-message.
  void AddStatus(const Status& status);
  // Encodes "-bin" values. Pairs that HTTP/2 or gRPC cannot carry are left out: sending one would
  // make the peer end the connection and every other call on it.
  void AddMetadata(const Metadata& metadata);

  const nghttp2_nv* data() const { return spilled_.empty() ? inline_ : spilled_.data(); }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kInline = 16;
  void Push(const nghttp2_nv& header);

  nghttp2_nv inline_[kInline];  // a list of usual length allocates nothing
  size_t size_ = 0;
  std::vector<nghttp2_nv> spilled_;
  std::forward_list<std::string> encoded_;
};

inline constexpr std::string_view kContentType = "application/grpc";
// Whether it is that, alone or followed by "+proto" or ";charset=...".
bool IsGrpcContent(std::string_view type);

// Adds a received pair, decoding "-bin" values (several may be joined by commas). False when the
// value is not base64.
bool AddReceivedPair(std::string_view name, std::string_view value, Metadata* metadata);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_HEADER_LIST_H_
