#include "loadgen/answer.h"

#include <cstdint>

namespace skysail::loadgen {
namespace {

constexpr uint64_t kRawOutputContents = 6;  // of inference.ModelInferResponse

bool TakeVarint(std::string_view* rest, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 64 && !rest->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest->front());
    rest->remove_prefix(1);
    *value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool Skip(std::string_view* rest, uint64_t size) {
  if (rest->size() < size) return false;
  rest->remove_prefix(size);
  return true;
}

bool RawOutputsEqual(std::string_view message, std::string_view expected) {
  while (!message.empty()) {
    uint64_t tag, value;
    if (!TakeVarint(&message, &tag)) return false;
    switch (tag & 7) {
      case 0:
        if (!TakeVarint(&message, &value)) return false;
        break;
      case 1:
        if (!Skip(&message, 8)) return false;
        break;
      case 5:
        if (!Skip(&message, 4)) return false;
        break;
      case 2: {
        if (!TakeVarint(&message, &value) || message.size() < value) return false;
        const std::string_view field = message.substr(0, value);
        message.remove_prefix(value);
        if (tag >> 3 != kRawOutputContents) break;
        if (expected.substr(0, field.size()) != field) return false;
        expected.remove_prefix(field.size());
        break;
      }
      default:
        return false;
    }
  }
  return expected.empty();
}

}  // namespace

bool AnswerMatches(AnswerCheck check, std::string_view answer, std::string_view expected) {
  switch (check) {
    case AnswerCheck::kRawOutputs:
      return RawOutputsEqual(answer, expected);
    case AnswerCheck::kSuffix:
      return answer.size() >= expected.size() &&
             answer.substr(answer.size() - expected.size()) == expected;
    case AnswerCheck::kContains:
      return answer.find(expected) != std::string_view::npos;
  }
  return false;
}

}  // namespace skysail::loadgen
