// A gRPC client channel to one peer: one HTTP/2 connection, owned by one event loop.
//
// Everything happens on the loop's thread. Connects on first use, reconnects with exponential
// back-off and jitter; while the peer is known to be away, calls fail at once with Unavailable.
// After GOAWAY, calls that the peer did not process fail with Unavailable (and `unprocessed` set,
// so that they may be retried anywhere) and a new connection is made for new calls.
#ifndef SKYSAIL_NET_CLIENT_CHANNEL_H_
#define SKYSAIL_NET_CLIENT_CHANNEL_H_

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
#include "net/peer_limits.h"

namespace skysail::net {

struct ChannelOptions {
  size_t max_message_bytes = size_t{64} << 20;
  uint32_t initial_window_bytes = uint32_t{1} << 20;
  uint32_t connection_window_bytes = uint32_t{8} << 20;
  size_t max_metadata_bytes = 64 << 10;
  TimeNs connect_timeout = 5 * kSecond;
  TimeNs backoff_initial = 50 * kMillisecond;
  TimeNs backoff_max = 5 * kSecond;
  double backoff_multiplier = 1.6;
  double backoff_jitter = 0.2;
  // PING when calls are open and nothing was read for so long; 0 is off.
  TimeNs keepalive_interval = 10 * kSecond;
  TimeNs keepalive_timeout = 5 * kSecond;
  bool keepalive_without_calls = false;
  bool stay_connected = false;               // after GOAWAY connect again without waiting for a call
  // An answer that has begun must go on, and what we send must be taken: see PeerLimits.
  TimeNs incomplete_timeout = PeerLimits().incomplete_timeout;
  TimeNs untaken_timeout = PeerLimits().untaken_timeout;
  uint64_t random_seed = 0;                  // for the jitter; 0 seeds from the system
};

// How a call ended.
struct CallResult {
  Status status;
  Metadata trailers;
  bool unprocessed = false;  // certain that the peer's application never saw the call
};

struct CallOptions {
  TimeNs deadline = kNever;            // sent as grpc-timeout; enforced here too
  const Metadata* metadata = nullptr;  // read during the call to Start only
  bool compress = false;               // gzip what we send
};

// The caller's side of a stream. Loop thread only. After OnDone nothing more is called, and the
// channel has forgotten the handler.
class ClientStreamHandler {
 public:
  virtual void OnInitialMetadata(const Metadata& metadata) { (void)metadata; }
  virtual void OnMessage(Slice message) = 0;
  virtual void OnWritable() {}  // unsent_bytes() fell to zero
  virtual void OnDone(CallResult result) = 0;

 protected:
  ~ClientStreamHandler() = default;
};

// A running call. The pointer is valid until OnDone.
class ClientStream {
 public:
  // A `plain` message is not compressed even where the call's messages are.
  virtual void Send(Bytes message, bool plain = false) = 0;
  virtual void HalfClose() = 0;  // no more messages from us
  virtual size_t unsent_bytes() const = 0;
  // RST_STREAM(CANCEL); OnDone follows (with Cancelled) before this returns.
  virtual void Cancel() = 0;
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

 protected:
  ~ClientStream() = default;
};

class ClientChannel {
 public:
  enum class State { kIdle, kConnecting, kReady, kBackoff, kClosed };

  ClientChannel(EventLoop& loop, Address address, ChannelOptions options);
  // Fails every open call with Cancelled.
  ~ClientChannel();

  // Starts a call. The handler may be told OnDone before this returns only by a later turn, never
  // from inside Start. `path` must outlive the call's headers being sent (use literals).
  ClientStream* Start(std::string_view path, const CallOptions& options,
                      ClientStreamHandler* handler);
  // Start + Send + HalfClose.
  ClientStream* StartUnary(std::string_view path, const CallOptions& options, Bytes request,
                           ClientStreamHandler* handler);

  void Connect();  // now rather than on first use
  State state() const;
  size_t open_calls() const;
  // Called on every change of state() (loop thread).
  void SetStateListener(std::function<void(State)> listener);
  const Address& address() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_CLIENT_CHANNEL_H_
