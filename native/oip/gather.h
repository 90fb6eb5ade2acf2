// Builds chains of slices: small pieces are copied into a block that they share, large ones are
// referred to. Several chains may be taken from one Gather.
#ifndef SKYSAIL_OIP_GATHER_H_
#define SKYSAIL_OIP_GATHER_H_

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/slice.h"
#include "oip/wire.h"

namespace skysail::oip {

class Gather {
 public:
  // Pieces of this size and above are referred to: copying costs less than one more element in a
  // gather-write below it.
  static constexpr size_t kReferFrom = 4096;
  // Room that Field needs for these bytes, at most.
  static size_t FieldSize(std::string_view bytes) { return 2 * wire::kMaxVarint + bytes.size(); }
  // What a piece of `size` bytes adds to a block.
  static size_t Copied(size_t size) { return size < kReferFrom ? size : 0; }

  // `expected_bytes`: how much will be copied; more is allowed and costs another block.
  explicit Gather(size_t expected_bytes) { NewBlock(expected_bytes); }
  ~Gather() { block_->Unref(); }
  Gather(const Gather&) = delete;
  Gather& operator=(const Gather&) = delete;

  void Copy(std::string_view bytes) {
    char* const to = Room(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  // The tag and length of a field whose `size` bytes follow.
  void Prefix(int field, size_t size) {
    char* const to = Room(2 * wire::kMaxVarint);
    const auto tag = static_cast<uint64_t>(field) << 3 | static_cast<uint8_t>(wire::Type::kLength);
    at_ += wire::PutVarint(wire::PutVarint(to, tag), size) - to;
  }
  void Field(int field, std::string_view bytes) {
    Prefix(field, bytes.size());
    Copy(bytes);
  }
  // A part of `owner`, copied or referred to.
  void Piece(const Slice& owner, std::string_view part) {
    if (part.size() < kReferFrom) {
      Copy(part);
    } else {
      Cut();
      chain_.Append(owner.Sub(part));
    }
  }
  // Everything since the last Take.
  Bytes Take() {
    Cut();
    return std::exchange(chain_, Bytes());
  }

 private:
  void NewBlock(size_t size) {
    block_ = Block::New(size);
    from_ = at_ = 0;
  }
  char* Room(size_t size) {
    if (block_->capacity() - at_ < size) {
      Cut();
      block_->Unref();
      NewBlock(std::max(size, kReferFrom));
    }
    return block_->data() + at_;
  }
  // Ends the slice that is being written.
  void Cut() {
    if (at_ == from_) return;
    block_->Ref();
    chain_.Append(Slice(block_, block_->data() + from_, at_ - from_));
    from_ = at_;
  }

  Block* block_ = nullptr;  // one reference is ours
  size_t from_ = 0;         // where the slice that is being written begins
  size_t at_ = 0;
  Bytes chain_;
};

}  // namespace skysail::oip

#endif  // SKYSAIL_OIP_GATHER_H_
