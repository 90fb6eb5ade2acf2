#include "net/server_loop.h"

#include <utility>

#include "net/server_connection.h"
#include "net/socket_stream.h"

namespace skysail::net {

ServerLoop::ServerLoop(EventLoop& loop, std::shared_ptr<ServerShared> shared)
    : loop_(loop), shared_(std::move(shared)) {}

ServerLoop::~ServerLoop() = default;

void ServerLoop::Adopt(Socket socket, std::string peer, bool inner) {
  if (draining_) {
    --shared_->connections;
    return;
  }
  counters_.connections_accepted.Add(1);
  counters_.connections_open.Add(1);
  connections_.insert(new ServerConnection(
      this, std::make_unique<SocketStream>(std::move(socket), std::move(peer), false), inner));
}

void ServerLoop::Drain(std::function<void()> empty) {
  draining_ = true;
  if (connections_.empty()) return empty();
  empty_ = std::move(empty);
  for (ServerConnection* connection : connections_) connection->Drain();
}

void ServerLoop::CloseAll() {
  for (ServerConnection* connection : connections_) {
    connection->Close(Unavailable("the server is shutting down"));
  }
}

void ServerLoop::Remove(ServerConnection* connection) {
  connections_.erase(connection);
  delete connection;
  counters_.connections_open.Add(-1);
  --shared_->connections;
  if (draining_ && connections_.empty() && empty_) std::exchange(empty_, nullptr)();
}

}  // namespace skysail::net
