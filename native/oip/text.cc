#include "oip/text.h"

#include <cstdint>
#include <cstring>

namespace skysail::oip {
namespace {

constexpr size_t kMaxQuoted = 100;

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xc0) == 0x80; }

// The length of the well-formed character of two to four bytes that begins at `text`; 0: there is
// none.
size_t LongCharacter(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t size = lead >= 0xc2 && lead <= 0xdf   ? 2
                      : lead >= 0xe0 && lead <= 0xef ? 3
                      : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                     : 0;
  if (size == 0 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool too_high = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || too_high ? 0 : size;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    uint64_t eight;
    while (text.size() >= sizeof(eight)) {
      std::memcpy(&eight, text.data(), sizeof(eight));
      if ((eight & 0x8080808080808080) != 0) break;
      text.remove_prefix(sizeof(eight));
    }
    while (!text.empty() && static_cast<uint8_t>(text[0]) < 0x80) text.remove_prefix(1);
    if (text.empty()) return true;
    const size_t size = LongCharacter(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string Quote(std::string_view text) {
  if (text.size() <= kMaxQuoted) return "'" + std::string(text) + "'";
  size_t size = kMaxQuoted;
  while (size > 0 && IsContinuation(text[size])) --size;
  return "'" + std::string(text.substr(0, size)) + "...'";
}

}  // namespace skysail::oip
