// A gRPC server over HTTP/2: N event loops, each owning its connections.
//
// Handlers run on the loop thread of the call's connection and must not block. A unary method gets
// a UnaryCall, which may be answered from any thread; a streaming method gets a ServerStream.
// Methods without a native handler go to the fallback (Python handlers plug in there).
#ifndef SKYSAIL_NET_GRPC_SERVER_H_
#define SKYSAIL_NET_GRPC_SERVER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/metadata.h"
#include "net/offence.h"
#include "net/peer_limits.h"

namespace skysail::net {

// What the caller sent before its first message. Valid while the call or stream is.
struct CallInfo {
  std::string_view method;     // "/inference.GRPCInferenceService/ModelInfer"
  std::string_view authority;
  std::string_view peer;       // "ipv4:127.0.0.1:5001", "unix:"
  TimeNs deadline = kNever;    // instant of the system's monotonic clock; from grpc-timeout
  TimeNs arrived = 0;
  bool inner = false;          // came in on a listener whose callers are trusted
  const Metadata* metadata = nullptr;  // without HTTP/2 pseudo-headers and gRPC's own headers
};

// Told once, on the call's loop thread, when the caller has gone (reset, connection lost) before
// the answer was sent. Never called after the answer.
class CancelListener {
 public:
  virtual void OnCancel() = 0;

 protected:
  ~CancelListener() = default;
};

// One unary call. Move-only; exactly one of Respond and Fail takes effect, and dropping an
// unanswered call answers INTERNAL. Respond and Fail may be called on any thread (off the loop's
// thread they are posted); everything else on the loop's thread only. A call may outlive its
// connection and its server, but not its event loop.
class UnaryCall {
 public:
  struct State;
  explicit UnaryCall(State* state) : state_(state) {}
  UnaryCall(UnaryCall&& other) noexcept : state_(other.state_) { other.state_ = nullptr; }
  UnaryCall& operator=(UnaryCall&& other) noexcept;
  ~UnaryCall();

  const CallInfo& info() const;
  const Slice& request() const;  // the message, decompressed
  EventLoop& loop() const;
  // `listener` must outlive the call or be cleared with nullptr.
  void SetCancelListener(CancelListener* listener);
  // Pairs to send with the answer.
  void AddTrailer(std::string key, std::string value);
  // Whether the answer is compressed, where the caller accepts that; else as the caller does.
  void SetCompression(bool on);
  void Respond(Bytes response);
  void Fail(const Status& status);
  explicit operator bool() const { return state_ != nullptr; }

 private:
  State* state_;
};

class UnaryHandler {
 public:
  virtual ~UnaryHandler() = default;
  virtual void Handle(UnaryCall call) = 0;
};

// One call of any shape (unary, client, server or bidirectional streaming), seen as a stream.
// Loop thread only. Alive until its handler's OnDone returns.
class ServerStream {
 public:
  virtual const CallInfo& info() const = 0;
  virtual EventLoop& loop() const = 0;
  // Whether messages are compressed, where the caller accepts that; else as the caller does. Before
  // initial metadata and messages, which tell the caller.
  virtual void SetCompression(bool on) = 0;
  virtual void SendInitialMetadata(Metadata metadata) = 0;  // at most once, before any message
  // Queues a message; unsent_bytes() tells how much the peer has yet to take. A `plain` one is not
  // compressed even where the call's messages are.
  virtual void Send(Bytes message, bool plain = false) = 0;
  virtual size_t unsent_bytes() const = 0;
  // Ends the call; nothing may be sent afterwards.
  virtual void Finish(const Status& status, Metadata trailers = {}) = 0;
  // Backpressure: no OnMessage while paused; flow-control credit is given back as messages are
  // taken, so a paused stream soon stops its sender.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

 protected:
  ~ServerStream() = default;
};

// The other side of a ServerStream. Loop thread only.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void OnMessage(Slice message) = 0;
  virtual void OnHalfClose() {}   // the caller will send no more
  virtual void OnWritable() {}    // unsent_bytes() fell to zero
  // The call is over: finished, or the caller left (cancelled). Last call on the handler, which
  // the server then destroys.
  virtual void OnDone(bool cancelled) = 0;
};
// Makes the handler of a new call; returning nullptr answers UNIMPLEMENTED.
using StreamFactory = std::function<std::unique_ptr<StreamHandler>(ServerStream& stream)>;

struct ServerOptions : PeerLimits {
  size_t max_message_bytes = size_t{64} << 20;  // received message, after decompression
  TimeNs drain_timeout = 30 * kSecond;          // Shutdown waits this long for calls
  bool compress_responses = false;  // gzip for every caller that accepts it; a caller that
                                    // compresses its requests gets compressed answers anyway
};

class GrpcServer {
 public:
  // Connections are spread over the loops round robin. `loops` must outlive the server; loops may
  // be running already or be started later.
  GrpcServer(LoopThreads& loops, ServerOptions options);
  ~GrpcServer();

  // Before Start. `path` is "/package.Service/Method".
  void AddUnary(std::string path, UnaryHandler* handler);  // not owned
  void AddStream(std::string path, StreamFactory factory);
  void SetFallback(StreamFactory factory);

  // Binds and listens; port 0 picks a free one. Returns the bound address. May be called for
  // several addresses. `inner` marks listeners whose callers are trusted to pin versions and set
  // deadlines (loopback, a Unix socket of mode 0700).
  Result<Address> Listen(const Address& address, bool inner);
  void Start();
  // Drains: stops accepting, GOAWAY on every connection, waits for calls in flight (up to the
  // drain timeout), closes. Blocks; not on a loop thread. Idempotent.
  void Shutdown();

  struct Stats {
    uint64_t connections_accepted, connections_open, connections_refused;
    uint64_t accepts_put_off;  // for want of descriptors
    uint64_t connections_retired;  // told to go, being idle or old
    uint64_t calls_started, calls_open, calls_cancelled, protocol_errors;
    uint64_t bytes_read, bytes_written;
    std::array<uint64_t, kOffences> offences;
    std::array<uint64_t, kOverruns> overruns;
    uint64_t of(Offence offence) const { return offences[static_cast<size_t>(offence)]; }
    uint64_t of(Overrun overrun) const { return overruns[static_cast<size_t>(overrun)]; }
  };
  Stats stats() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_GRPC_SERVER_H_
