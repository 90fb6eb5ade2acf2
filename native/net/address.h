// Where a server listens or a peer is: "host:port", "[v6]:port", "unix:/path" or "unix:relative".
#ifndef SKYSAIL_NET_ADDRESS_H_
#define SKYSAIL_NET_ADDRESS_H_

#include <string>
#include <string_view>

#include "base/status.h"

namespace skysail::net {

struct Address {
  enum class Kind { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string host;  // kTcp: name or literal
  int port = 0;      // kTcp
  std::string path;  // kUnix

  static Result<Address> Parse(std::string_view text);
  std::string ToString() const;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_ADDRESS_H_
