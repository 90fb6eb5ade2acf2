#include "net/outbound_messages.h"

#include <algorithm>
#include <cstdint>

#include "net/message_decoder.h"

namespace skysail::net {

void OutboundMessages::Push(Bytes message, bool compressed) {
  Message* queued = &first_;
  if (size_ == 0) {
    has_first_ = true;
  } else {
    queued = &rest_.emplace_back();
  }
  const auto length = static_cast<uint32_t>(message.size());
  queued->prefix[0] = compressed ? 1 : 0;
  for (int i = 0; i < 4; ++i) queued->prefix[1 + i] = static_cast<char>(length >> (24 - 8 * i));
  size_ += kMessagePrefixBytes + message.size();
  queued->body = std::move(message);
}

void OutboundMessages::MoveTo(OutputBuffer* to, size_t bytes) {
  size_ -= bytes;
  while (bytes > 0) {
    const Message& front = has_first_ ? first_ : rest_[head_];
    const size_t left = kMessagePrefixBytes + front.body.size() - offset_;
    size_t n = std::min(bytes, left);
    bytes -= n;
    if (offset_ < kMessagePrefixBytes) {
      const size_t prefix = std::min(n, kMessagePrefixBytes - offset_);
      to->Copy(front.prefix + offset_, prefix);
      offset_ += prefix;
      n -= prefix;
    }
    const Bytes& body = front.body;
    while (n > 0) {
      const Slice& slice = body.slice(slice_);
      const size_t part = std::min(n, slice.size() - slice_offset_);
      to->Append(slice, slice_offset_, part);
      slice_offset_ += part;
      offset_ += part;
      n -= part;
      if (slice_offset_ == slice.size()) {
        ++slice_;
        slice_offset_ = 0;
      }
    }
    if (offset_ == kMessagePrefixBytes + body.size()) Pop();
  }
}

void OutboundMessages::Pop() {
  if (has_first_) {
    has_first_ = false;
    first_.body = Bytes();
  } else {
    rest_[head_++].body = Bytes();
    if (head_ == rest_.size()) {
      rest_.clear();
      head_ = 0;
    } else if (head_ >= 64 && head_ * 2 >= rest_.size()) {
      rest_.erase(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  offset_ = slice_ = slice_offset_ = 0;
}

void OutboundMessages::Clear() { *this = OutboundMessages(); }

}  // namespace skysail::net
