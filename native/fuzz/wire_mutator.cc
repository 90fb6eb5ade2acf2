#include "fuzz/wire_mutator.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "oip/wire.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace skysail::fuzz {
namespace {

namespace wire = oip::wire;

class Mutator {
 public:
  explicit Mutator(unsigned int seed) : random_(seed) {}

  size_t Below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  // One field of `message`, or of a message inside of it, is changed.
  std::string Message(std::string_view message) {
    std::vector<wire::Field> fields;
    wire::Reader reader(message);
    for (wire::Field field; reader.Next(&field);) fields.push_back(field);
    const std::string_view tail = message.substr(reader.offset());
    const size_t chosen = Below(fields.size() + 1);
    std::string out;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i == chosen) {
        Change(fields, i, &out);
      } else {
        out.append(fields[i].whole);
      }
    }
    if (chosen == fields.size()) AppendAny(&out);
    return out.append(tail);
  }

 private:
  void Change(const std::vector<wire::Field>& fields, size_t i, std::string* out) {
    const wire::Field& field = fields[i];
    switch (Below(8)) {
      case 0:  // gone
        break;
      case 1:  // twice
        out->append(field.whole).append(field.whole);
        break;
      case 2:  // another one's copy
        out->append(fields[Below(fields.size())].whole);
        break;
      case 3:  // longer than it need be
        Padded(static_cast<uint64_t>(field.number) << 3 | static_cast<uint8_t>(field.type), out);
        AppendValue(field, field.bytes, /*padded=*/true, out);
        break;
      case 4:  // another number
        wire::AppendTag(out, 1 + static_cast<int>(Below(16)), field.type);
        AppendValue(field, field.bytes, /*padded=*/false, out);
        break;
      case 5:
        AppendAny(out);
        break;
      default:  // another value
        wire::AppendTag(out, static_cast<int>(field.number), field.type);
        if (field.type == wire::Type::kLength) {
          AppendValue(field, Below(2) == 0 ? Message(field.bytes) : Mutated(field.bytes), false,
                      out);
        } else {
          wire::Field other = field;
          other.value = AnyNumber();
          AppendValue(other, {}, false, out);
        }
    }
  }

  void AppendValue(const wire::Field& field, std::string_view bytes, bool padded,
                   std::string* out) {
    switch (field.type) {
      case wire::Type::kVarint:
        padded ? Padded(field.value, out) : wire::AppendVarint(out, field.value);
        break;
      case wire::Type::kLength:
        padded ? Padded(bytes.size(), out) : wire::AppendVarint(out, bytes.size());
        out->append(bytes);
        break;
      case wire::Type::kFixed64:
      case wire::Type::kFixed32:
        out->append(reinterpret_cast<const char*>(&field.value),
                    field.type == wire::Type::kFixed64 ? 8 : 4);
        break;
    }
  }

  // A varint with bytes to spare.
  void Padded(uint64_t value, std::string* out) {
    wire::AppendVarint(out, value);
    for (size_t more = Below(6); more > 0; --more) {
      out->back() = static_cast<char>(out->back() | 0x80);
      out->push_back('\0');
    }
  }

  void AppendAny(std::string* out) {
    constexpr wire::Type kTypes[] = {wire::Type::kVarint, wire::Type::kLength, wire::Type::kFixed32,
                                     wire::Type::kFixed64};
    wire::Field field;
    field.number = 1 + static_cast<uint32_t>(Below(16));
    field.type = kTypes[Below(4)];
    field.value = AnyNumber();
    wire::AppendTag(out, static_cast<int>(field.number), field.type);
    AppendValue(field, std::string(Below(9), static_cast<char>(Below(256))), false, out);
  }

  uint64_t AnyNumber() {
    constexpr uint64_t kEdges[] = {0, 1, 2, 127, 128, 255, 256, 65535, uint64_t{1} << 31,
                                   UINT32_MAX, uint64_t{1} << 63, UINT64_MAX};
    return Below(3) == 0 ? Below(300) : kEdges[Below(std::size(kEdges))];
  }

  std::string Mutated(std::string_view bytes) {
    std::string out(bytes);
    const size_t most = bytes.size() + 16;
    out.resize(most);
    out.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(out.data()), bytes.size(), most));
    return out;
  }

  std::minstd_rand random_;
};

}  // namespace

size_t MutateMessage(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  Mutator mutator(seed);
  if (mutator.Below(2) == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string out = mutator.Message({reinterpret_cast<const char*>(data), size});
  const size_t kept = std::min(out.size(), max_size);
  std::memcpy(data, out.data(), kept);
  return kept;
}

}  // namespace skysail::fuzz
