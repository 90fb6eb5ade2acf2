// A listening socket on an event loop: hands out connected sockets. Loop thread only.
#ifndef SKYSAIL_NET_LISTENER_H_
#define SKYSAIL_NET_LISTENER_H_

#include <functional>
#include <string>

#include "net/address.h"
#include "net/event_loop.h"
#include "net/socket.h"

namespace skysail::net {

class Listener final : private IoHandler {
 public:
  using Accept = std::function<void(Socket socket, std::string peer)>;

  // `address` is what the socket is bound to; a Unix socket's file is removed on Close. `put_off` is told
  // each time that nobody could be accepted for want of descriptors: callers wait in the backlog until
  // there are some, which is looked for ten times a second.
  Listener(EventLoop& loop, Socket socket, Address address, Accept accept,
           std::function<void()> put_off);
  ~Listener();  // closes; the loop must not run, or this must be its thread

  void Start();
  void Close();

 private:
  void OnReady(uint32_t events) override;
  void Resume();

  EventLoop& loop_;
  Socket socket_;
  const Address address_;
  const Accept accept_;
  const std::function<void()> put_off_;
  bool watched_ = false;
  Timer retry_;  // armed while the process is out of descriptors
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_LISTENER_H_
