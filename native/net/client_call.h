// One call at the client. Loop thread only.
//
// Belongs to its connection until the stream is gone. A call that never got a stream, or whose
// last messages wait for a paused reader after the stream has gone, is loose: its owner keeps it.
#ifndef SKYSAIL_NET_CLIENT_CALL_H_
#define SKYSAIL_NET_CLIENT_CALL_H_

#include <string>
#include <string_view>

#include "net/client_channel.h"
#include "net/event_loop.h"
#include "net/rpc_stream.h"

namespace skysail::net {

class ClientCall;

// The channel, as its calls see it.
class ClientCallOwner {
 public:
  // The stream is gone; the owner keeps `call` until it has ended.
  virtual void KeepLoose(ClientCall* call) = 0;
  // The handler is about to be told OnDone. A loose call is deleted later in this turn or the next.
  virtual void OnCallEnded(ClientCall* call) = 0;

 protected:
  ~ClientCallOwner() = default;
};

class ClientCall final : public RpcStream, public ClientStream {
 public:
  ClientCall(EventLoop& loop, ClientCallOwner* owner, ClientStreamHandler* handler,
             const CallOptions& options, const ChannelOptions& channel);
  ~ClientCall() override = default;

  void ArmDeadline();
  // Ends the call for the handler, once; what the peer still sends is dropped.
  void End(CallResult result);
  // The owner is going away.
  void Disown() { owner_ = nullptr; }

  // ClientStream
  void Send(Bytes message, bool plain = false) override {
    QueueMessage(std::move(message), compress_ && !plain);
  }
  void HalfClose() override { EndSending(); }
  size_t unsent_bytes() const override { return unsent(); }
  void Cancel() override;
  void PauseReading() override { PauseReceiving(); }
  void ResumeReading() override { ResumeReceiving(); }

 private:
  // RpcStream
  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersReceived(bool end_stream) override;
  void OnMessageReceived(Slice message) override;
  void OnReceiveError(const Status& status) override { Abandon(status); }
  void OnStalled(const Status& status) override { Abandon(status); }
  void OnPeerDone() override;
  void OnDrained() override;
  bool OnLastDataFramed() override { return true; }
  void OnHeadersSent(bool) override { headers_sent_ = true; }
  void OnGone(uint32_t error_code, const Status* connection_lost) override;

  void OnDeadline();
  // The header block that has come says nothing about how the call ends.
  void ForgetBlock();
  // Ends the call and tells the peer to stop.
  void Abandon(Status status);
  Status FinalStatus();
  Status ResetStatus(uint32_t error_code) const;

  EventLoop& loop_;
  ClientCallOwner* owner_;
  ClientStreamHandler* handler_;  // null once told OnDone
  const TimeNs deadline_;
  const bool compress_;
  const size_t max_metadata_bytes_;
  Timer deadline_timer_;
  bool headers_sent_ = false;
  bool response_begun_ = false;  // its first headers have come

  // Of the header block being received.
  Metadata metadata_;
  size_t metadata_bytes_ = 0;
  int http_status_ = 0;
  bool grpc_content_ = false;
  bool has_grpc_status_ = false;
  ErrorKind grpc_status_ = ErrorKind::kOk;
  std::string grpc_message_;
  Status broken_;  // what was wrong with the headers
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_CLIENT_CALL_H_
