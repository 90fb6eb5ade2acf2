// The protobuf wire format: a bounds-checked reader of fields and the few writers that messages
// need.
//
// Reading never throws, allocates or reads outside the given bytes, whatever they hold. Groups
// (deprecated before the protocol existed) are malformed.
#ifndef SKYSAIL_OIP_WIRE_H_
#define SKYSAIL_OIP_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace skysail::oip::wire {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "fixed-size values and raw tensors are copied as they lie in memory");

enum class Type : uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Type type = Type::kVarint;
  uint64_t value = 0;      // kVarint, kFixed64, kFixed32
  std::string_view bytes;  // kLength
  std::string_view whole;  // tag, length and bytes
};

inline constexpr size_t kMaxVarint = 10;
// Tags and lengths have 32 bits. Protobuf reads no more bytes for them, so one that is padded with
// zeroes beyond that is malformed, lest we pass on what a peer cannot read.
inline constexpr ptrdiff_t kMaxVarint32 = 5;

// Reads a varint at `*at` and moves past it. False when it is truncated or longer than 10 bytes.
inline bool ReadVarint(const char** at, const char* end, uint64_t* value) {
  const char* p = *at;
  if (p != end && static_cast<signed char>(*p) >= 0) {
    *value = static_cast<uint8_t>(*p);
    *at = p + 1;
    return true;
  }
  uint64_t result = 0;
  for (unsigned shift = 0; shift < 64 && p != end; shift += 7) {
    const uint64_t byte = static_cast<uint8_t>(*p++);
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      *at = p;
      return true;
    }
  }
  return false;
}
// The same for a tag or a length.
inline bool ReadVarint32(const char** at, const char* end, uint64_t* value) {
  const char* const start = *at;
  if (start != end && static_cast<signed char>(*start) >= 0) {
    *value = static_cast<uint8_t>(*start);
    *at = start + 1;
    return true;
  }
  return ReadVarint(at, end, value) && *at - start <= kMaxVarint32;
}

// Walks the fields of one message.
class Reader {
 public:
  explicit Reader(std::string_view message)
      : begin_(message.data()), at_(begin_), end_(begin_ + message.size()) {}

  // True: `field` holds the next field. False: at the end when ok(), else at something malformed.
  bool Next(Field* field) {
    if (at_ == end_) return false;
    const char* const start = at_;
    const char* p = at_;
    uint64_t tag;
    if (!ReadVarint32(&p, end_, &tag) || (tag >> 3) == 0 || (tag >> 3) > kMaxNumber) {
      return Fail();
    }
    field->number = static_cast<uint32_t>(tag >> 3);
    field->type = static_cast<Type>(tag & 7);
    switch (field->type) {
      case Type::kVarint:
        if (!ReadVarint(&p, end_, &field->value)) return Fail();
        break;
      case Type::kLength: {
        uint64_t length;
        if (!ReadVarint32(&p, end_, &length) || length > static_cast<uint64_t>(end_ - p)) {
          return Fail();
        }
        field->bytes = std::string_view(p, length);
        p += length;
        break;
      }
      case Type::kFixed64:
        if (!Fixed<uint64_t>(&p, &field->value)) return Fail();
        break;
      case Type::kFixed32:
        if (!Fixed<uint32_t>(&p, &field->value)) return Fail();
        break;
      default:
        return Fail();
    }
    field->whole = std::string_view(start, p - start);
    at_ = p;
    return true;
  }
  bool ok() const { return ok_; }
  // Where the next field begins, or the malformed one.
  size_t offset() const { return at_ - begin_; }

 private:
  static constexpr uint64_t kMaxNumber = (1u << 29) - 1;

  bool Fail() {
    ok_ = false;
    return false;
  }
  template <typename T>
  bool Fixed(const char** p, uint64_t* value) {
    T fixed;
    if (static_cast<size_t>(end_ - *p) < sizeof(fixed)) return false;
    std::memcpy(&fixed, *p, sizeof(fixed));
    *p += sizeof(fixed);
    *value = fixed;
    return true;
  }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  bool ok_ = true;
};

inline size_t VarintSize(uint64_t value) {
  return value < 0x80 ? 1 : (63 - __builtin_clzll(value)) / 7 + 1;
}
// Writes at `to`, which has room for kMaxVarint bytes; returns the end.
inline char* PutVarint(char* to, uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}
inline void AppendVarint(std::string* out, uint64_t value) {
  char buffer[kMaxVarint];
  out->append(buffer, static_cast<size_t>(PutVarint(buffer, value) - buffer));
}
inline uint64_t Tag(int field, Type type) {
  return static_cast<uint64_t>(field) << 3 | static_cast<uint8_t>(type);
}
inline void AppendTag(std::string* out, int field, Type type) {
  AppendVarint(out, Tag(field, type));
}
// Tag and value together: to grow a string costs more than to write a few bytes.
inline void AppendTagged(std::string* out, int field, Type type, uint64_t value) {
  char buffer[2 * kMaxVarint];
  const char* const end = PutVarint(PutVarint(buffer, Tag(field, type)), value);
  out->append(buffer, static_cast<size_t>(end - buffer));
}
inline void AppendNumber(std::string* out, int field, uint64_t value) {
  AppendTagged(out, field, Type::kVarint, value);
}
// The tag and the length of a field whose `size` bytes follow.
inline void AppendPrefix(std::string* out, int field, size_t size) {
  AppendTagged(out, field, Type::kLength, size);
}
inline void AppendBytes(std::string* out, int field, std::string_view bytes) {
  AppendPrefix(out, field, bytes.size());
  out->append(bytes);
}
inline size_t BytesFieldSize(int field, size_t size) {
  return VarintSize(static_cast<uint64_t>(field) << 3) + VarintSize(size) + size;
}

}  // namespace skysail::oip::wire

#endif  // SKYSAIL_OIP_WIRE_H_
