// What fuzz targets are written with: an input read as a sequence of choices, and a check that
// speaks in every build.
#ifndef SKYSAIL_FUZZ_SCRIPT_H_
#define SKYSAIL_FUZZ_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Ends the process, and so makes the input a finding, when `condition` does not hold.
#define SKYSAIL_HOLDS(condition)                                                        \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                     \
    }                                                                                   \
  } while (false)

namespace skysail::fuzz {

inline std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Hands out an input from its front. Used up, it hands out zeroes, so that every input is a whole
// script and a longer one only goes on from where a shorter one ended.
class Script {
 public:
  explicit Script(std::string_view rest) : rest_(rest) {}

  bool done() const { return rest_.empty(); }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return byte;
  }
  // Of `count` things the one at this index; requires 1 <= count <= 256.
  size_t Pick(size_t count) { return Byte() % count; }
  bool Flip() { return (Byte() & 1) != 0; }
  uint32_t Number() {
    uint32_t number = 0;
    for (int i = 0; i < 4; ++i) number = number << 8 | Byte();
    return number;
  }
  // The next bytes, at most `most`; views the input.
  std::string_view Bytes(size_t most) {
    const std::string_view bytes = rest_.substr(0, most);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  std::string_view rest_;
};

}  // namespace skysail::fuzz

#endif  // SKYSAIL_FUZZ_SCRIPT_H_
