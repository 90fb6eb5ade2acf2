#include "net/listener.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace skysail::net {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr TimeNs kRetryDelay = 100 * kMillisecond;

bool OutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

Listener::Listener(EventLoop& loop, Socket socket, Address address, Accept accept,
                   std::function<void()> put_off)
    : loop_(loop),
      socket_(std::move(socket)),
      address_(std::move(address)),
      accept_(std::move(accept)),
      put_off_(std::move(put_off)),
      retry_([this] { Resume(); }) {}

Listener::~Listener() { Close(); }

void Listener::Start() {
  if (socket_ && !watched_) Resume();
}

void Listener::Close() {
  if (!socket_) return;
  retry_.Cancel();
  if (watched_) loop_.Unwatch(socket_.fd());
  watched_ = false;
  if (address_.kind == Address::Kind::kUnix) unlink(address_.path.c_str());
  socket_ = Socket();
}

void Listener::OnReady(uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage name{};
    socklen_t size = sizeof(name);
    Socket accepted(accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&name), &size,
                            SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) {
      if (name.ss_family != AF_UNIX) DisableNagle(accepted.fd());
      accept_(std::move(accepted), PeerName(reinterpret_cast<sockaddr*>(&name)));
      continue;
    }
    if (OutOfResources(errno)) {
      // The caller stays in the backlog, and the socket readable: looking again at once would
      // only spin until some descriptor is closed.
      loop_.Unwatch(socket_.fd());
      watched_ = false;
      retry_.Set(loop_, loop_.TurnTime() + kRetryDelay);
      put_off_();
      return;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // ECONNABORTED and the like concern one caller only.
  }
}

void Listener::Resume() {
  loop_.Watch(socket_.fd(), EPOLLIN, this);
  watched_ = true;
}

}  // namespace skysail::net
