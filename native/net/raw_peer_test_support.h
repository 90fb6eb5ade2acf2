// A peer that speaks bytes: for what no well-behaved client would send. Blocking, with a timeout.
#ifndef SKYSAIL_NET_RAW_PEER_TEST_SUPPORT_H_
#define SKYSAIL_NET_RAW_PEER_TEST_SUPPORT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "net/h2_frames_test_support.h"
#include "net/socket.h"

namespace skysail::net {

// A blocking socket, connected to this machine's `port`; none when nobody takes it.
inline Socket ConnectedTo(int port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Socket made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool connected = connect(made.fd(), reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0;
  return connected ? std::move(made) : Socket();
}

class RawPeer {
 public:
  explicit RawPeer(int port) : socket_(ConnectedTo(port)), connected_(bool(socket_)) {
    const timeval limit{10, 0};
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    DisableNagle(socket_.fd());
    nghttp2_hd_inflate_new(&inflater_);
  }
  // The other side of a connection that our client made; `turn` drives that client while this waits.
  RawPeer(Socket accepted, std::function<void()> turn)
      : socket_(std::move(accepted)), turn_(std::move(turn)), connected_(true) {
    DisableNagle(socket_.fd());
    nghttp2_hd_inflate_new(&inflater_);
  }
  ~RawPeer() { nghttp2_hd_inflate_del(inflater_); }
  bool connected() const { return connected_; }

  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  void SendPreface() {
    Send(ClientPreface());
  }

  // The first bytes of a client.
  bool TakeMagic() { return Read(NGHTTP2_CLIENT_MAGIC_LEN) == NGHTTP2_CLIENT_MAGIC; }

  struct Received {
    int type = -1;  // -1: the connection ended (or nothing came for 10 s: timed_out)
    int flags = 0;
    int32_t stream = 0;
    std::string payload;
    std::map<std::string, std::string> headers;
  };
  // The next frame.
  Received Next() {
    Received frame;
    const std::string head = Read(9);
    if (head.size() < 9) return frame;
    const auto byte = [&head](int i) { return static_cast<unsigned char>(head[i]); };
    frame.type = byte(3);
    frame.flags = byte(4);
    frame.stream = (byte(5) << 24) | (byte(6) << 16) | (byte(7) << 8) | byte(8);
    frame.payload = Read(static_cast<size_t>((byte(0) << 16) | (byte(1) << 8) | byte(2)));
    if (frame.type == NGHTTP2_HEADERS) frame.headers = Inflate(frame.payload);
    return frame;
  }
  // The next frame of `type`, or the end of the connection.
  Received NextOf(int type) {
    Received frame;
    do {
      frame = Next();
    } while (frame.type != type && frame.type != -1);
    return frame;
  }
  // Reads until the peer closes; false when it does not within the time limit.
  bool WaitForEnd() {
    while (Next().type != -1) {
    }
    return !timed_out_;
  }

 private:
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    size_t have = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (have < size) {
      const ssize_t n =
          recv(socket_.fd(), bytes.data() + have, size - have, turn_ ? MSG_DONTWAIT : 0);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        timed_out_ = !turn_ || std::chrono::steady_clock::now() >= end;
        if (!timed_out_) {
          turn_();
          continue;
        }
      }
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }
  std::map<std::string, std::string> Inflate(const std::string& block) {
    std::map<std::string, std::string> headers;
    auto* at = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
      if (n < 0) break;
      at += n;
      left -= static_cast<size_t>(n);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        headers[std::string(reinterpret_cast<char*>(field.name), field.namelen)] =
            std::string(reinterpret_cast<char*>(field.value), field.valuelen);
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
        nghttp2_hd_inflate_end_headers(inflater_);
        break;
      }
    }
    return headers;
  }

  Socket socket_;
  std::function<void()> turn_;
  bool connected_ = false;
  bool timed_out_ = false;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_RAW_PEER_TEST_SUPPORT_H_
