// Lets any thread drive a net::ServerStream, which belongs to its loop's thread. No Python here.
//
// The loop's side is a StreamHandler that puts what comes into a bounded inbox; the other side
// takes from it and posts what it sends. Either may end first. The loop must outlive what is called
// here by other threads.
#ifndef SKYSAIL_BINDINGS_STREAM_BRIDGE_H_
#define SKYSAIL_BINDINGS_STREAM_BRIDGE_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/grpc_server.h"

namespace skysail::bindings {

class StreamBridge : public std::enable_shared_from_this<StreamBridge> {
 public:
  enum class Received { kMessage, kEnd, kNothingYet };

  // On the loop's thread.
  explicit StreamBridge(net::ServerStream& stream);
  // The handler to give to the server. Once.
  std::unique_ptr<net::StreamHandler> NewHandler();

  // Any thread; constant.
  const std::string& method() const { return method_; }
  const std::string& peer() const { return peer_; }
  const net::Metadata& metadata() const { return metadata_; }
  TimeNs deadline() const { return deadline_; }

  // Any thread. The caller left, or the deadline passed, before the answer was complete.
  bool cancelled() const;
  bool done() const;
  // Waits at most `wait` for a message. kEnd: no more will come.
  Received Receive(TimeNs wait, Slice* message);
  // Waits at most `wait` until little enough is unsent (or the call is over); false when it is not.
  bool WaitWritable(TimeNs wait);
  // Cancelled when the call is over, FailedPrecondition after Finish or in the wrong order.
  Status SetCompression(bool on);  // before initial metadata and messages
  Status SendInitialMetadata(net::Metadata metadata);
  Status Send(Slice message, bool plain);
  Status Finish(Status status, net::Metadata trailers);
  // Runs `callback` once when the call is over, on the loop's thread; at once when it is over
  // already.
  void OnDone(std::function<void()> callback);

 private:
  class Handler;
  Status CheckOpen() const;  // requires mu_
  // Runs `act` on the loop's thread unless the call is over by then. Requires mu_, so that what
  // several threads send is posted in the order in which it was accepted.
  void PostToStream(std::function<void(net::ServerStream&)> act);

  // Constant after construction.
  net::EventLoop& loop_;
  const std::string method_, peer_;
  const net::Metadata metadata_;
  const TimeNs deadline_;

  net::ServerStream* stream_;  // owned by the loop's thread; null when the call is over

  mutable std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_.
  std::deque<Slice> inbox_;
  size_t inbox_bytes_ = 0;
  size_t posted_bytes_ = 0;  // accepted by Send, not yet with the stream
  size_t unsent_bytes_ = 0;  // with the stream, when last looked
  bool paused_ = false, half_closed_ = false;
  bool headers_sent_ = false, finished_ = false;
  bool done_ = false, cancelled_ = false;
  std::vector<std::function<void()>> on_done_;
};

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_STREAM_BRIDGE_H_
