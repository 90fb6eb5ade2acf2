#include "net/message_decoder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace skysail::net {
namespace {

// A message gets a block of this size at once, or of its own when that is at most twice as large. A
// larger one grows by doubling, and is given all that it declares when half of that is reached, so that
// the last step is never one for the few bytes beside a tensor.
constexpr size_t kTrustedBytes = 256 << 10;

}  // namespace

MessageDecoder::Outcome MessageDecoder::Next(std::string_view* input, ReceivedMessage* message) {
  if (prefix_bytes_ < kMessagePrefixBytes) {
    if (!TakePrefix(input)) return Outcome::kNeedMore;
    if (prefix_[0] > 1) {
      status_ = Internal("received message has the unknown flag byte " +
                         std::to_string(prefix_[0]));
      return Outcome::kError;
    }
    length_ = (size_t{prefix_[1]} << 24) | (size_t{prefix_[2]} << 16) | (size_t{prefix_[3]} << 8) |
              prefix_[4];
    if (length_ > max_message_bytes_) {
      status_ = ResourceExhausted("received message of " + std::to_string(length_) +
                                  " bytes exceeds the limit of " +
                                  std::to_string(max_message_bytes_) + " bytes");
      return Outcome::kError;
    }
  }
  TakeBody(input);
  if (received_ < length_) return Outcome::kNeedMore;
  message->bytes = length_ == 0 ? Slice() : owner_.Sub({block_->data(), length_});
  message->compressed = prefix_[0] == 1;
  owner_ = Slice();
  block_ = nullptr;
  prefix_bytes_ = 0;
  length_ = received_ = capacity_ = 0;
  return Outcome::kMessage;
}

bool MessageDecoder::TakePrefix(std::string_view* input) {
  const size_t n = std::min<size_t>(kMessagePrefixBytes - prefix_bytes_, input->size());
  std::memcpy(prefix_ + prefix_bytes_, input->data(), n);
  prefix_bytes_ += static_cast<uint32_t>(n);
  input->remove_prefix(n);
  return prefix_bytes_ == kMessagePrefixBytes;
}

void MessageDecoder::TakeBody(std::string_view* input) {
  const size_t n = std::min(length_ - received_, input->size());
  if (n == 0) return;
  if (received_ + n > capacity_) Reserve(received_ + n);
  std::memcpy(block_->data() + received_, input->data(), n);
  received_ += n;
  input->remove_prefix(n);
}

void MessageDecoder::Reserve(size_t bytes) {
  const size_t wanted = std::max({bytes, capacity_ * 2, kTrustedBytes});
  capacity_ = wanted < length_ / 2 ? wanted : length_;
  Block* larger = Block::New(capacity_);
  if (received_ > 0) std::memcpy(larger->data(), block_->data(), received_);
  block_ = larger;
  owner_ = Slice(larger, larger->data(), 0);
}

}  // namespace skysail::net
