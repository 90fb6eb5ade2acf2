#include "net/grpc_timeout.h"

#include <algorithm>
#include <charconv>

namespace skysail::net {
namespace {

constexpr size_t kMaxDigits = 8;
constexpr TimeNs kMaxValue = 99'999'999;

struct Unit {
  char symbol;
  TimeNs length;
};
constexpr Unit kUnits[] = {{'n', 1},       {'u', kMicrosecond}, {'m', kMillisecond},
                           {'S', kSecond}, {'M', 60 * kSecond}, {'H', 3600 * kSecond}};

}  // namespace

std::optional<TimeNs> ParseGrpcTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kMaxDigits + 1) return std::nullopt;
  TimeNs value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  for (const Unit& unit : kUnits) {
    if (unit.symbol != text.back()) continue;
    return value > kNever / 2 / unit.length ? kNever : value * unit.length;
  }
  return std::nullopt;
}

std::string_view FormatGrpcTimeout(TimeNs timeout, std::array<char, 16>* buffer) {
  timeout = std::max<TimeNs>(timeout, 1);
  for (const Unit& unit : kUnits) {
    const TimeNs value = timeout / unit.length;
    if (value > kMaxValue) continue;
    char* end = std::to_chars(buffer->data(), buffer->data() + buffer->size(), value).ptr;
    *end++ = unit.symbol;
    return {buffer->data(), static_cast<size_t>(end - buffer->data())};
  }
  return "99999999H";
}

}  // namespace skysail::net
