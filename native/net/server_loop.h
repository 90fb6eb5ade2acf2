// The part of a server that lives on one event loop: its connections and counters.
//
// Loop thread only, except counters(). Tasks that other threads post here hold a shared_ptr to it,
// so that a task that comes late finds it whole.
#ifndef SKYSAIL_NET_SERVER_LOOP_H_
#define SKYSAIL_NET_SERVER_LOOP_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>

#include "net/event_loop.h"
#include "net/grpc_server.h"
#include "net/method_table.h"
#include "net/server_counters.h"
#include "net/socket.h"

namespace skysail::net {

class ServerConnection;

// What all loops of one server share.
struct ServerShared {
  ServerOptions options;
  MethodTable methods;                   // constant once started
  std::atomic<size_t> connections{0};    // reserved or open, over all loops
};

class ServerLoop {
 public:
  ServerLoop(EventLoop& loop, std::shared_ptr<ServerShared> shared);
  ~ServerLoop();
  ServerLoop(const ServerLoop&) = delete;
  ServerLoop& operator=(const ServerLoop&) = delete;

  EventLoop& loop() const { return loop_; }
  const ServerShared& shared() const { return *shared_; }
  ServerCounters& counters() { return counters_; }

  // Takes over a new connection, which was counted in ServerShared::connections.
  void Adopt(Socket socket, std::string peer, bool inner);
  // Drains every connection; `empty` is called once none is left.
  void Drain(std::function<void()> empty);
  void CloseAll();
  bool empty() const { return connections_.empty(); }
  // From a connection that has finished; deletes it.
  void Remove(ServerConnection* connection);

 private:
  EventLoop& loop_;
  const std::shared_ptr<ServerShared> shared_;
  ServerCounters counters_;
  std::unordered_set<ServerConnection*> connections_;  // owned
  bool draining_ = false;
  std::function<void()> empty_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SERVER_LOOP_H_
