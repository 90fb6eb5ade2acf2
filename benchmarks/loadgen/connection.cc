#include "loadgen/connection.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "loadgen/h1_connection.h"
#include "loadgen/h2_connection.h"

namespace skysail::loadgen {
namespace {

constexpr size_t kReadBytes = 1 << 18;
constexpr std::string_view kUnix = "unix:";

[[noreturn]] void Refuse(const std::string& target, const char* why) {
  std::fprintf(stderr, "loadgen: cannot connect to %s: %s\n", target.c_str(), why);
  std::exit(2);
}

int Dial(const std::string& target) {
  if (target.compare(0, kUnix.size(), kUnix) == 0) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = target.substr(kUnix.size());
    if (path.size() >= sizeof address.sun_path) Refuse(target, "the path is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      Refuse(target, std::strerror(errno));
    }
    return fd;
  }
  const size_t colon = target.rfind(':');
  if (colon == std::string::npos) Refuse(target, "want HOST:PORT or unix:PATH");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(target.substr(0, colon).c_str(), target.substr(colon + 1).c_str(),
                                &hints, &found);
  if (error != 0) Refuse(target, gai_strerror(error));
  const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
  if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) Refuse(target, std::strerror(errno));
  freeaddrinfo(found);
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// One for all connections: only the tail of a unit is kept per connection.
std::string& ReadBuffer() {
  static std::string buffer(kReadBytes, '\0');
  return buffer;
}

}  // namespace

Connection::Connection(const Options& options, const Bodies* bodies, CallSink* sink)
    : bodies_(*bodies),
      sink_(*sink),
      vary_(options.vary < 0 || options.protocol == Protocol::kH1 ? options.vary
                                                                  : options.vary + 5),
      fd_(Dial(options.target)),
      varied_(static_cast<uint32_t>((options.seed << 12 | static_cast<unsigned>(fd_)) *
                                    2654435761u)) {
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

Connection::~Connection() { close(fd_); }

void Connection::OnReadable() {
  std::string& buffer = ReadBuffer();
  const size_t kept = unread_.size();
  if (kept + kReadBytes / 2 > buffer.size()) buffer.resize(kept + kReadBytes);
  if (kept > 0) std::memcpy(buffer.data(), unread_.data(), kept);
  const ssize_t got = recv(fd_, buffer.data() + kept, buffer.size() - kept, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return Fail("transport");
  const std::string_view data(buffer.data(), kept + static_cast<size_t>(got));
  const int64_t taken = Consume(data);
  if (taken < 0) return Fail("transport");
  unread_.assign(data.substr(static_cast<size_t>(taken)));
}

void Connection::Flush() {
  while (!failed_ && wants_write()) {
    const ssize_t put = send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      return Fail("transport");
    }
    sent_ += static_cast<size_t>(put);
  }
  out_.clear();
  sent_ = 0;
}

void Connection::AppendRequest(uint32_t body) {
  const size_t start = out_.size();
  out_.append(bodies_.request(body));
  if (vary_ < 0) return;
  // Whole numbers under 2^23 cancel exactly in any order of summing.
  const auto n = static_cast<float>(varied_++ & ((1u << 23) - 1));
  const float pair[2] = {n, -n};
  std::memcpy(out_.data() + start + vary_, pair, sizeof pair);
}

void Connection::Fail(std::string_view error) {
  if (failed_) return;
  failed_ = true;
  FailAll(error);
  outstanding_ = 0;
  out_.clear();
  sent_ = 0;
}

std::unique_ptr<Connection> Connect(const Options& options, const Bodies* bodies, CallSink* sink) {
  if (options.protocol == Protocol::kH1) {
    return std::make_unique<H1Connection>(options, bodies, sink);
  }
  return std::make_unique<H2Connection>(options, bodies, sink);
}

}  // namespace skysail::loadgen
