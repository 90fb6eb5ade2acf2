// Bytes on their way to a socket, in order. Small pieces are copied into one block, so that many
// of them leave in one iovec; large ones are referenced and never copied. Not thread-safe.
#ifndef SKYSAIL_NET_OUTPUT_BUFFER_H_
#define SKYSAIL_NET_OUTPUT_BUFFER_H_

#include <sys/uio.h>

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/slice.h"

namespace skysail::net {

class OutputBuffer {
 public:
  // Slices of at least this size are referenced.
  static constexpr size_t kReferenceBytes = 4096;

  OutputBuffer() = default;
  ~OutputBuffer();
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  void Copy(const void* bytes, size_t size);
  // The part of `slice` from `offset`, copied or referenced as its size suggests.
  void Append(const Slice& slice, size_t offset, size_t size);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // Fills at most `max` iovecs from the front; returns their number.
  int Gather(iovec* pieces, int max) const;
  // Drops `bytes` (<= size()) from the front.
  void Consume(size_t bytes);

 private:
  struct Piece {
    Slice owner;
    const char* data;
    size_t size;
  };
  void Clear();

  std::vector<Piece> pieces_;
  size_t head_ = 0;          // pieces before it are gone
  size_t size_ = 0;
  Block* tail_ = nullptr;    // where small pieces go; one reference is ours
  size_t tail_used_ = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_OUTPUT_BUFFER_H_
