#include "net/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>

namespace skysail::net {
namespace {

constexpr int kGzipFormat = 15 + 16;
constexpr int kDetectFormat = 15 + 32;
constexpr size_t kFirstGuess = 16 << 10;

// Owns the state that zlib keeps behind a z_stream.
class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, kDetectFormat) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_;
};

// No deflate data unpacks to more than this many times its size.
constexpr size_t kMostPacked = 1032;
constexpr size_t kGzipOverhead = 18;  // head and tail

// What gzip data says that it unpacks to; nothing where it is not gzip.
std::optional<size_t> ClaimedBytes(std::string_view compressed) {
  const auto byte = [compressed](size_t i) { return static_cast<uint8_t>(compressed[i]); };
  if (compressed.size() < kGzipOverhead || byte(0) != 0x1f || byte(1) != 0x8b) return std::nullopt;
  size_t bytes = 0;
  for (size_t i = 1; i <= 4; ++i) bytes = bytes << 8 | byte(compressed.size() - i);
  return bytes;
}

Status TooLarge(size_t max_bytes) {
  return ResourceExhausted("received message decompresses to more than the limit of " +
                           std::to_string(max_bytes) + " bytes");
}

}  // namespace

std::optional<Encoding> ParseEncoding(std::string_view name) {
  if (name == "identity") return Encoding::kIdentity;
  if (name == "gzip") return Encoding::kGzip;
  if (name == "deflate") return Encoding::kDeflate;
  return std::nullopt;
}

Slice GzipCompress(const Bytes& message) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipFormat, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();  // the only cause: memory
  }
  Block* block = Block::New(deflateBound(&stream, message.size()));
  stream.next_out = reinterpret_cast<Bytef*>(block->data());
  stream.avail_out = static_cast<uInt>(block->capacity());
  for (size_t i = 0; i < message.slices(); ++i) {
    const Slice& slice = message.slice(i);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(slice.data()));
    stream.avail_in = static_cast<uInt>(slice.size());
    deflate(&stream, Z_NO_FLUSH);
  }
  deflate(&stream, Z_FINISH);
  const size_t size = stream.total_out;
  deflateEnd(&stream);
  return Slice(block, block->data(), size);
}

Result<Slice> Decompress(std::string_view compressed, size_t max_bytes) {
  Inflater inflater;
  if (!inflater.ready()) return ResourceExhausted("no memory to decompress a message");
  z_stream& stream = inflater.stream();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());

  // One byte more than is allowed, so that a message of exactly the limit is told from a larger. What it says of
  // itself is believed when that is too much, and no further than its own size makes likely.
  const size_t ceiling = max_bytes + 1;
  const std::optional<size_t> claimed = ClaimedBytes(compressed);
  if (claimed && *claimed > max_bytes) return TooLarge(max_bytes);
  const size_t guess = claimed ? std::min(*claimed, compressed.size() * kMostPacked) + 1
                               : std::max(kFirstGuess, compressed.size() * 4);
  size_t capacity = std::min(ceiling, guess);
  Block* block = Block::New(capacity);
  Slice owner(block, block->data(), 0);
  size_t size = 0;
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(block->data() + size);
    stream.avail_out = static_cast<uInt>(capacity - size);
    const int outcome = inflate(&stream, Z_NO_FLUSH);
    size = capacity - stream.avail_out;
    if (size > max_bytes) return TooLarge(max_bytes);
    if (outcome == Z_STREAM_END) {
      if (stream.avail_in > 0) return Internal("received compressed message goes on behind its end");
      return owner.Sub({block->data(), size});
    }
    if (outcome != Z_OK && outcome != Z_BUF_ERROR) {
      return Internal("received message is not valid compressed data");
    }
    if (stream.avail_out > 0) return Internal("received compressed message is cut short");
    capacity = std::min(ceiling, capacity * 2);
    Block* larger = Block::New(capacity);
    std::memcpy(larger->data(), block->data(), size);
    owner = Slice(larger, larger->data(), 0);
    block = larger;
  }
}

}  // namespace skysail::net
