#include "net/address.h"

#include <charconv>

namespace skysail::net {
namespace {

constexpr std::string_view kUnixScheme = "unix:";

Status Malformed(std::string_view text) {
  return InvalidArgument("'" + std::string(text) +
                         "' is not an address; expected host:port, [v6]:port or unix:path");
}

}  // namespace

Result<Address> Address::Parse(std::string_view text) {
  Address address;
  if (text.substr(0, kUnixScheme.size()) == kUnixScheme) {
    std::string_view path = text.substr(kUnixScheme.size());
    if (path.substr(0, 2) == "//") path.remove_prefix(2);  // unix:///absolute
    if (path.empty() || path.find('\0') != std::string_view::npos) return Malformed(text);
    address.kind = Kind::kUnix;
    address.path = std::string(path);
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Malformed(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (!host.empty() && host.front() == '[') {
    if (host.size() < 3 || host.back() != ']') return Malformed(text);
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Malformed(text);  // a bare v6 literal: which colon begins the port is a guess
  }
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || address.port < 0 ||
      address.port > 65535) {
    return Malformed(text);
  }
  address.host = std::string(host);
  return address;
}

std::string Address::ToString() const {
  if (kind == Kind::kUnix) return std::string(kUnixScheme) + path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace skysail::net
