// Finds the heads of HTTP/2 frames in the bytes of a connection, however these are cut into reads. Sees
// every frame, those of unknown types and of closed streams included, before anything is done for it.
// Not thread-safe.
#ifndef SKYSAIL_NET_FRAME_SCANNER_H_
#define SKYSAIL_NET_FRAME_SCANNER_H_

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace skysail::net {

inline constexpr size_t kFrameHeadBytes = 9;

struct FrameHead {
  uint32_t length = 0;  // of the payload
  uint8_t type = 0;
  uint8_t flags = 0;
};

class FrameScanner {
 public:
  // `skip`: bytes before the first frame (a client's preface).
  explicit FrameScanner(size_t skip) : payload_left_(skip) {}

  // The frame that came last has not come to its end: a header block, or a frame other than DATA.
  bool mid_frame() const {
    if (last_.type == NGHTTP2_DATA) return false;
    const bool in_block = (last_.type == NGHTTP2_HEADERS || last_.type == NGHTTP2_CONTINUATION) &&
                          (last_.flags & NGHTTP2_FLAG_END_HEADERS) == 0;
    return payload_left_ > 0 || in_block;
  }

  // Takes bytes off the front of `input` until the head of a frame is complete (true, `head` is set) or
  // the input is used up.
  bool Next(std::string_view* input, FrameHead* head) {
    const size_t skipped = std::min(payload_left_, input->size());
    payload_left_ -= skipped;
    input->remove_prefix(skipped);
    const char* bytes = input->data();
    if (head_bytes_ == 0 && input->size() >= kFrameHeadBytes) {
      input->remove_prefix(kFrameHeadBytes);
    } else {
      const size_t n = std::min(kFrameHeadBytes - head_bytes_, input->size());
      std::memcpy(head_ + head_bytes_, bytes, n);
      head_bytes_ += n;
      input->remove_prefix(n);
      if (head_bytes_ < kFrameHeadBytes) return false;
      head_bytes_ = 0;
      bytes = head_;
    }
    const auto byte = [bytes](int i) { return static_cast<uint8_t>(bytes[i]); };
    *head = {uint32_t{byte(0)} << 16 | uint32_t{byte(1)} << 8 | byte(2), byte(3), byte(4)};
    last_ = *head;
    payload_left_ = head->length;
    return true;
  }

 private:
  FrameHead last_;         // found last
  size_t payload_left_;    // of that
  size_t head_bytes_ = 0;  // of head_, which a read cut in two
  char head_[kFrameHeadBytes];
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_FRAME_SCANNER_H_
