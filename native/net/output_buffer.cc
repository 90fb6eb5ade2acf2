#include "net/output_buffer.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace skysail::net {
namespace {

constexpr size_t kTailBytes = (32 << 10) - sizeof(Block) - 16;

// One block per thread is kept for the next buffer that starts to fill: a connection writes in
// most turns and holds a block only while it has something unsent.
class SpareBlock {
 public:
  ~SpareBlock() {
    if (block_ != nullptr) block_->Unref();
  }
  Block* Take() {
    return block_ != nullptr ? std::exchange(block_, nullptr) : Block::New(kTailBytes);
  }
  void Give(Block* block) {
    if (block_ == nullptr) {
      block_ = block;
    } else {
      block->Unref();
    }
  }

 private:
  Block* block_ = nullptr;
};
thread_local SpareBlock spare;

}  // namespace

OutputBuffer::~OutputBuffer() {
  if (tail_ != nullptr) tail_->Unref();
}

void OutputBuffer::Copy(const void* bytes, size_t size) {
  const char* from = static_cast<const char*>(bytes);
  while (size > 0) {
    if (tail_ == nullptr || tail_used_ == kTailBytes) {
      if (tail_ != nullptr) tail_->Unref();
      tail_ = spare.Take();
      tail_used_ = 0;
    }
    char* to = tail_->data() + tail_used_;
    const size_t n = std::min(size, kTailBytes - tail_used_);
    std::memcpy(to, from, n);
    if (pieces_.size() > head_ && pieces_.back().data + pieces_.back().size == to) {
      pieces_.back().size += n;  // goes on where the last small piece ended
    } else {
      tail_->Ref();
      pieces_.push_back({Slice(tail_, to, 0), to, n});
    }
    tail_used_ += n;
    size_ += n;
    from += n;
    size -= n;
  }
}

void OutputBuffer::Append(const Slice& slice, size_t offset, size_t size) {
  if (size < kReferenceBytes) return Copy(slice.data() + offset, size);
  pieces_.push_back({slice, slice.data() + offset, size});
  size_ += size;
}

int OutputBuffer::Gather(iovec* pieces, int max) const {
  int n = 0;
  for (size_t i = head_; i < pieces_.size() && n < max; ++i, ++n) {
    pieces[n] = {const_cast<char*>(pieces_[i].data), pieces_[i].size};
  }
  return n;
}

void OutputBuffer::Consume(size_t bytes) {
  size_ -= bytes;
  if (size_ == 0) return Clear();
  while (bytes > 0) {
    Piece& piece = pieces_[head_];
    const size_t n = std::min(bytes, piece.size);
    piece.data += n;
    piece.size -= n;
    bytes -= n;
    if (piece.size == 0) {
      piece.owner = Slice();
      ++head_;
    }
  }
  if (head_ > 64 && head_ * 2 > pieces_.size()) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutputBuffer::Clear() {
  pieces_.clear();
  head_ = 0;
  if (tail_ != nullptr) spare.Give(std::exchange(tail_, nullptr));
  tail_used_ = 0;
}

}  // namespace skysail::net
