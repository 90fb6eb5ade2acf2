// Bytes that several owners share without copying.
//
// Block: one heap block, header and bytes in a single allocation, counted atomically, so that a
//        slice may be dropped on any thread. Written only while it has one owner.
// Slice: a view into a Block (or into memory that outlives everything, when it has no owner).
// Bytes: a message as a short chain of slices, written to a socket in order (gather).
#ifndef SKYSAIL_BASE_SLICE_H_
#define SKYSAIL_BASE_SLICE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skysail {

class Block {
 public:
  // A block of `capacity` uninitialised bytes with one reference, owned by the caller.
  static Block* New(size_t capacity) {
    void* memory = ::operator new(sizeof(Block) + capacity);
    return new (memory) Block(capacity);
  }
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t capacity() const { return capacity_; }
  void Ref() { references_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      this->~Block();
      ::operator delete(this);
    }
  }

 private:
  explicit Block(size_t capacity) : capacity_(capacity) {}
  ~Block() = default;
  std::atomic<uint32_t> references_{1};
  const size_t capacity_;
};

class Slice {
 public:
  Slice() = default;
  // Adopts one reference of `block`.
  Slice(Block* block, const char* data, size_t size) : block_(block), data_(data), size_(size) {}
  // Bytes that outlive every slice of them (literals).
  static Slice Static(std::string_view text) { return Slice(nullptr, text.data(), text.size()); }
  static Slice Copy(std::string_view text) {
    Block* block = Block::New(text.size());
    if (!text.empty()) std::memcpy(block->data(), text.data(), text.size());
    return Slice(block, block->data(), text.size());
  }

  Slice(const Slice& other) : block_(other.block_), data_(other.data_), size_(other.size_) {
    if (block_ != nullptr) block_->Ref();
  }
  Slice(Slice&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Slice& operator=(Slice other) noexcept {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Slice() {
    if (block_ != nullptr) block_->Unref();
  }

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }
  // The part that `part` views, which must lie inside this slice; shares ownership.
  Slice Sub(std::string_view part) const {
    if (block_ != nullptr) block_->Ref();
    return Slice(block_, part.data(), part.size());
  }
  Slice Sub(size_t offset, size_t size) const { return Sub(view().substr(offset, size)); }

 private:
  Block* block_ = nullptr;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// A message as a chain of slices. Value type; appending is amortised O(1).
class Bytes {
 public:
  Bytes() = default;
  Bytes(Slice slice) { Append(std::move(slice)); }  // NOLINT: implicit by intent

  void Append(Slice slice) {
    if (slice.empty()) return;
    size_ += slice.size();
    if (first_.empty()) {
      first_ = std::move(slice);
    } else {
      rest_.push_back(std::move(slice));
    }
  }
  void Append(Bytes other) {
    if (!other.first_.empty()) Append(std::move(other.first_));
    for (Slice& slice : other.rest_) Append(std::move(slice));
  }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t slices() const { return (first_.empty() ? 0 : 1) + rest_.size(); }
  const Slice& slice(size_t i) const { return i == 0 ? first_ : rest_[i - 1]; }
  // One contiguous slice: shared when there is but one, copied otherwise.
  Slice Flatten() const {
    if (rest_.empty()) return first_;
    Block* block = Block::New(size_);
    char* to = block->data();
    for (size_t i = 0; i < slices(); ++i) {
      std::memcpy(to, slice(i).data(), slice(i).size());
      to += slice(i).size();
    }
    return Slice(block, block->data(), size_);
  }
  std::string ToString() const { return std::string(Flatten().view()); }

 private:
  Slice first_;  // the usual case costs no vector
  std::vector<Slice> rest_;
  size_t size_ = 0;
};

}  // namespace skysail

#endif  // SKYSAIL_BASE_SLICE_H_
