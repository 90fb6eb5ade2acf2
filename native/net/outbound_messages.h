// Messages of one stream that wait to be sent, as the byte sequence that DATA frames carry. Many
// small messages fit in one frame. Not thread-safe.
#ifndef SKYSAIL_NET_OUTBOUND_MESSAGES_H_
#define SKYSAIL_NET_OUTBOUND_MESSAGES_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "base/slice.h"
#include "net/output_buffer.h"

namespace skysail::net {

class OutboundMessages {
 public:
  void Push(Bytes message, bool compressed);
  // Bytes on the wire, prefixes included, that were not moved yet.
  size_t size() const { return size_; }
  // Moves the next `bytes` (<= size()) to `to`.
  void MoveTo(OutputBuffer* to, size_t bytes);
  void Clear();

 private:
  struct Message {
    char prefix[5];
    Bytes body;
  };
  void Pop();

  Message first_;               // the usual stream has one message and costs no vector
  bool has_first_ = false;
  std::vector<Message> rest_;
  size_t head_ = 0;             // rest_ before it is gone
  size_t offset_ = 0;           // into the front message, prefix included
  size_t slice_ = 0;            // of the front message, where offset_ lies
  size_t slice_offset_ = 0;
  size_t size_ = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_OUTBOUND_MESSAGES_H_
