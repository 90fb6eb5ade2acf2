// The bytes under an HTTP/2 session: a connected socket today, a TLS record layer over one later.
//
// Non-blocking and level-triggered: an operation that cannot go on says which readiness of fd() it
// waits for. Loop thread only.
#ifndef SKYSAIL_NET_BYTE_STREAM_H_
#define SKYSAIL_NET_BYTE_STREAM_H_

#include <sys/uio.h>

#include <cstddef>
#include <string>

namespace skysail::net {

struct IoResult {
  enum class Kind : unsigned char {
    kDone,       // `bytes` were moved (or the handshake is over)
    kWantRead,   // try again when fd() is readable
    kWantWrite,  // try again when fd() is writable
    kEnd,        // the peer has sent its last byte
    kError,      // `error` is an errno; the stream is of no more use
  };
  Kind kind = Kind::kDone;
  int error = 0;
  size_t bytes = 0;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;  // closes
  virtual int fd() const = 0;
  // Called until it is kDone, before the first Read or Write: a connect in progress, a handshake.
  virtual IoResult Handshake() = 0;
  // Reads at most `capacity` (> 0) bytes.
  virtual IoResult Read(char* to, size_t capacity) = 0;
  // Writes a prefix of the pieces.
  virtual IoResult Write(const iovec* pieces, int count) = 0;
  // No more will be written; what was written still arrives.
  virtual void ShutdownWrite() = 0;
  // Bytes may be readable although fd() is not (a record layer holds them).
  virtual bool has_buffered_input() const { return false; }
  // "ipv4:127.0.0.1:5001", "ipv6:[::1]:5001" or "unix:".
  virtual const std::string& peer() const = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_BYTE_STREAM_H_
