// Cuts a byte sequence into gRPC messages: a flag byte, a 4-byte big-endian length, the message.
//
// Each message comes out as one contiguous Slice with a Block of its own. Memory follows the bytes
// that arrived, four times at most, not the length that a peer declares. Not thread-safe.
#ifndef SKYSAIL_NET_MESSAGE_DECODER_H_
#define SKYSAIL_NET_MESSAGE_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/slice.h"
#include "base/status.h"

namespace skysail::net {

inline constexpr size_t kMessagePrefixBytes = 5;

struct ReceivedMessage {
  Slice bytes;
  bool compressed = false;
};

class MessageDecoder {
 public:
  enum class Outcome { kNeedMore, kMessage, kError };

  explicit MessageDecoder(size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}

  // Takes bytes off the front of `input` until a message is complete (then `message` holds it and
  // `input` the rest) or the input is used up. After kError, status() says why and the decoder is
  // of no more use.
  Outcome Next(std::string_view* input, ReceivedMessage* message);
  // A message was begun and is not complete.
  bool mid_message() const { return prefix_bytes_ > 0; }
  // Gives up what has come of it; Next must not be called again.
  void Drop() { owner_ = Slice(); }
  // What has come of that message.
  size_t held_bytes() const { return received_; }
  const Status& status() const { return status_; }

 private:
  bool TakePrefix(std::string_view* input);
  void TakeBody(std::string_view* input);
  void Reserve(size_t bytes);

  const size_t max_message_bytes_;
  unsigned char prefix_[kMessagePrefixBytes];
  uint32_t prefix_bytes_ = 0;
  size_t length_ = 0;    // declared, once the prefix is complete
  size_t received_ = 0;  // bytes of the body in block_
  size_t capacity_ = 0;
  Slice owner_;             // owns block_
  Block* block_ = nullptr;  // the body so far; null while length_ is 0
  Status status_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_MESSAGE_DECODER_H_
