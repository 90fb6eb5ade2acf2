// A plain socket as a ByteStream.
#ifndef SKYSAIL_NET_SOCKET_STREAM_H_
#define SKYSAIL_NET_SOCKET_STREAM_H_

#include <string>
#include <utility>

#include "net/byte_stream.h"
#include "net/socket.h"

namespace skysail::net {

class SocketStream final : public ByteStream {
 public:
  // `connecting`: a connect was started and its outcome is not known yet.
  SocketStream(Socket socket, std::string peer, bool connecting)
      : socket_(std::move(socket)), peer_(std::move(peer)), connecting_(connecting) {}

  int fd() const override { return socket_.fd(); }
  IoResult Handshake() override;
  IoResult Read(char* to, size_t capacity) override;
  IoResult Write(const iovec* pieces, int count) override;
  void ShutdownWrite() override;
  const std::string& peer() const override { return peer_; }

 private:
  const Socket socket_;
  const std::string peer_;
  bool connecting_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SOCKET_STREAM_H_
