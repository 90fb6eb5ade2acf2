// One client connection: a non-blocking socket, what is still to be written, and the calls on it.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_CONNECTION_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/bodies.h"
#include "loadgen/options.h"

namespace skysail::loadgen {

struct Call {
  uint32_t body = 0;
  int64_t start_ns = 0;  // when it was sent or, in an open loop, when it should have been
};

// Told how each call ended. `error` is empty for a good answer, else a short name of the failure
// ("grpc-14", "http-503", "transport").
class CallSink {
 public:
  virtual ~CallSink() = default;
  virtual void OnAnswer(const Call& call, std::string_view answer) = 0;
  virtual void OnFailure(const Call& call, std::string_view error) = 0;
};

// Not thread-safe. `bodies` and `sink` must outlive it.
class Connection {
 public:
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // May another call start now? False once the connection has failed.
  virtual bool CanStart() const = 0;
  // Queues a call's bytes; Flush() sends them. Requires CanStart().
  virtual void Start(const Call& call) = 0;
  // Reads once and reports finished calls. On failure every open call is reported failed.
  void OnReadable();
  // Writes what the socket takes. wants_write() then says whether some is left.
  void Flush();
  // Gives up: every open call is reported failed with `error`, and the connection has failed.
  void Fail(std::string_view error);

  int fd() const { return fd_; }
  bool failed() const { return failed_; }
  bool wants_write() const { return sent_ < out_.size(); }
  uint32_t outstanding() const { return outstanding_; }

 protected:
  // Connects, blocking; exits with 2 when nobody listens there.
  Connection(const Options& options, const Bodies* bodies, CallSink* sink);

  // Takes whole units off the front of `data` and returns the bytes taken, or -1 when the peer
  // broke the protocol or is leaving.
  virtual int64_t Consume(std::string_view data) = 0;
  // Reports every open call as failed with `error`.
  virtual void FailAll(std::string_view error) = 0;

  // Appends a request's bytes to out_, varied if the options ask for it.
  void AppendRequest(uint32_t body);

  const Bodies& bodies_;
  CallSink& sink_;
  std::string out_;  // sent_ bytes of it are written
  uint32_t outstanding_ = 0;

 private:
  const int64_t vary_;  // offset in the request as sent, or -1
  const int fd_;
  uint32_t varied_;  // begins elsewhere for every seed and connection
  bool failed_ = false;
  size_t sent_ = 0;
  std::string unread_;  // the start of a unit whose end has not come
};

// gRPC over HTTP/2 or HTTP/1.1, as the options say.
std::unique_ptr<Connection> Connect(const Options& options, const Bodies* bodies, CallSink* sink);

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_CONNECTION_H_
