#include "net/socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

namespace skysail::net {
namespace {

constexpr int kBacklog = 4096;
constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

Status Failed(const std::string& what, const Address& address, int error) {
  return Unavailable(what + " " + address.ToString() + ": " + std::strerror(error));
}

using AddrInfoPtr = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<AddrInfoPtr> Resolve(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const char* host = address.host.empty() ? nullptr : address.host.c_str();
  const int error = getaddrinfo(host, std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) {
    return Unavailable("cannot resolve " + address.ToString() + ": " + gai_strerror(error));
  }
  return AddrInfoPtr(found, &freeaddrinfo);
}

Result<sockaddr_un> UnixName(const Address& address) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.path.size() >= sizeof(name.sun_path)) {
    return InvalidArgument("the Unix socket path '" + address.path + "' has " +
                           std::to_string(address.path.size()) + " bytes; at most " +
                           std::to_string(sizeof(name.sun_path) - 1) + " are possible");
  }
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  return name;
}

// Removes the socket file of a server that is gone. Nothing else at that path is touched.
void RemoveStale(const sockaddr_un& name) {
  struct stat info;
  if (lstat(name.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return;
  const Socket probe(socket(AF_UNIX, kSocketFlags, 0));
  if (connect(probe.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 &&
      errno == ECONNREFUSED) {
    unlink(name.sun_path);
  }
}

Result<Socket> ListenUnix(const Address& address) {
  auto name = UnixName(address);
  if (!name.ok()) return name.status();
  Socket listening(socket(AF_UNIX, kSocketFlags, 0));
  if (!listening) return Failed("cannot listen on", address, errno);
  RemoveStale(*name);
  // Nobody can connect before listen(), so the mode is in force for the first caller.
  if (bind(listening.fd(), reinterpret_cast<const sockaddr*>(&*name), sizeof(*name)) != 0 ||
      chmod(name->sun_path, S_IRWXU) != 0 || listen(listening.fd(), kBacklog) != 0) {
    return Failed("cannot listen on", address, errno);
  }
  return listening;
}

Result<Socket> ListenTcp(const Address& address) {
  auto found = Resolve(address, AI_PASSIVE);
  if (!found.ok()) return found.status();
  const addrinfo& info = **found;
  Socket listening(socket(info.ai_family, kSocketFlags, 0));
  if (!listening) return Failed("cannot listen on", address, errno);
  const int on = 1;
  setsockopt(listening.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listening.fd(), info.ai_addr, info.ai_addrlen) != 0 ||
      listen(listening.fd(), kBacklog) != 0) {
    return Failed("cannot listen on", address, errno);
  }
  return listening;
}

Result<Socket> Connect(const Address& address, const sockaddr* name, socklen_t size) {
  Socket connecting(socket(name->sa_family, kSocketFlags, 0));
  if (!connecting) return Failed("cannot connect to", address, errno);
  if (connect(connecting.fd(), name, size) != 0 && errno != EINPROGRESS) {
    return Failed("cannot connect to", address, errno);
  }
  return connecting;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

Result<Socket> ListenOn(const Address& address) {
  return address.kind == Address::Kind::kUnix ? ListenUnix(address) : ListenTcp(address);
}

Result<Address> BoundAddress(const Socket& socket, const Address& asked) {
  if (asked.kind == Address::Kind::kUnix) return asked;
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return Failed("cannot read the port of", asked, errno);
  }
  Address bound = asked;
  bound.port = ntohs(name.ss_family == AF_INET6
                         ? reinterpret_cast<sockaddr_in6*>(&name)->sin6_port
                         : reinterpret_cast<sockaddr_in*>(&name)->sin_port);
  return bound;
}

Result<Socket> StartConnect(const Address& address) {
  if (address.kind == Address::Kind::kUnix) {
    auto name = UnixName(address);
    if (!name.ok()) return name.status();
    return Connect(address, reinterpret_cast<const sockaddr*>(&*name), sizeof(*name));
  }
  auto found = Resolve(address, 0);
  if (!found.ok()) return found.status();
  const addrinfo& info = **found;
  auto connecting = Connect(address, info.ai_addr, info.ai_addrlen);
  if (connecting.ok()) DisableNagle(connecting->fd());
  return connecting;
}

int ConnectError(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void DisableNagle(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void SetUserTimeout(int fd, TimeNs timeout) {
  const auto ms = static_cast<unsigned>(std::clamp<TimeNs>(timeout / kMillisecond, 1, INT_MAX));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

std::string PeerName(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    return std::string("ipv4:") + text + ":" + std::to_string(ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    return std::string("ipv6:[") + text + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  return "unix:";
}

}  // namespace skysail::net
