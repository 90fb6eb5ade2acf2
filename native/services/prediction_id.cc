#include "services/prediction_id.h"

#include <xxhash.h>

#include <chrono>
#include <cstring>
#include <random>

namespace skysail::services {
namespace {

void PutBigEndian(uint8_t* out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out[i] = static_cast<uint8_t>(value >> (8 * (bytes - 1 - i)));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

PredictionId MakePrediction(uint64_t epoch_ms, std::string_view application,
                            std::string_view context, uint32_t random) {
  PredictionId id;
  PutBigEndian(id.data(), epoch_ms, 6);
  PutBigEndian(id.data() + 6, XXH3_64bits(application.data(), application.size()), 3);
  PutBigEndian(id.data() + 9, XXH3_64bits(context.data(), context.size()), 3);
  PutBigEndian(id.data() + 12, random, 4);
  return id;
}

PredictionId MintPrediction(std::string_view application, std::string_view context) {
  thread_local std::mt19937 random{std::random_device{}()};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  return MakePrediction(static_cast<uint64_t>(ms), application, context,
                        static_cast<uint32_t>(random()));
}

bool IsMinted(const PredictionId& id) { return id != PredictionId{}; }

uint64_t Spread(const PredictionId& id) { return XXH3_64bits(id.data(), id.size()); }

void PredictionToHex(const PredictionId& id, char* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const uint8_t byte : id) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
}

bool PredictionFromHex(std::string_view text, PredictionId* id) {
  if (text.size() != kPredictionHexDigits) return false;
  for (size_t i = 0; i < id->size(); ++i) {
    const int high = HexDigit(text[2 * i]), low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    (*id)[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

}  // namespace skysail::services
