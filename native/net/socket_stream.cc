#include "net/socket_stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace skysail::net {
namespace {

IoResult Outcome(ssize_t n, IoResult::Kind blocked) {
  if (n >= 0) return {IoResult::Kind::kDone, 0, static_cast<size_t>(n)};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {blocked, 0, 0};
  return {IoResult::Kind::kError, errno, 0};
}

}  // namespace

IoResult SocketStream::Handshake() {
  if (!connecting_) return {};
  pollfd ready{socket_.fd(), POLLOUT, 0};
  if (poll(&ready, 1, 0) <= 0) return {IoResult::Kind::kWantWrite, 0, 0};
  const int error = ConnectError(socket_.fd());
  if (error != 0) return {IoResult::Kind::kError, error, 0};
  connecting_ = false;
  return {};
}

IoResult SocketStream::Read(char* to, size_t capacity) {
  const ssize_t n = recv(socket_.fd(), to, capacity, 0);
  if (n == 0) return {IoResult::Kind::kEnd, 0, 0};
  return Outcome(n, IoResult::Kind::kWantRead);
}

IoResult SocketStream::Write(const iovec* pieces, int count) {
  if (count == 1) {
    return Outcome(send(socket_.fd(), pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL),
                   IoResult::Kind::kWantWrite);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<size_t>(count);
  return Outcome(sendmsg(socket_.fd(), &message, MSG_NOSIGNAL), IoResult::Kind::kWantWrite);
}

void SocketStream::ShutdownWrite() { shutdown(socket_.fd(), SHUT_WR); }

}  // namespace skysail::net
