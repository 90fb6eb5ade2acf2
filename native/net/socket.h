// Non-blocking, close-on-exec stream sockets, TCP and Unix.
#ifndef SKYSAIL_NET_SOCKET_H_
#define SKYSAIL_NET_SOCKET_H_

#include <sys/socket.h>

#include <string>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "net/address.h"

namespace skysail::net {

// Owns a descriptor. Move-only.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// Binds and listens. A stale Unix socket file is replaced; one that somebody answers on is not.
// A new Unix socket has mode 0700: only its owner's processes may connect.
Result<Socket> ListenOn(const Address& address);
// The address that a listening socket got (port 0 resolved).
Result<Address> BoundAddress(const Socket& socket, const Address& asked);
// Starts to connect; the outcome comes with writability. Host names are resolved here, which may
// block: data-plane peers are registered as literals.
Result<Socket> StartConnect(const Address& address);
// 0, or the errno with which a connect that was started has failed.
int ConnectError(int fd);

// Small writes are sent at once.
void DisableNagle(int fd);
// What was sent must be acknowledged within `timeout`, or the connection is lost; of TCP alone.
void SetUserTimeout(int fd, TimeNs timeout);
std::string PeerName(const sockaddr* address);

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SOCKET_H_
