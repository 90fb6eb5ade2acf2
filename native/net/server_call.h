// One call at the server, unary or streaming: the stream's state, and what handlers hold of it.
//
// Belongs to its connection until the stream is gone, and while a handler holds a UnaryCall also
// to that: deleted when both are done. Loop thread only, except Answer.
#ifndef SKYSAIL_NET_SERVER_CALL_H_
#define SKYSAIL_NET_SERVER_CALL_H_

#include <memory>
#include <string>
#include <string_view>

#include "net/event_loop.h"
#include "net/grpc_server.h"
#include "net/metadata.h"
#include "net/method_table.h"
#include "net/rpc_stream.h"

namespace skysail::net {

class ServerConnection;

// What a UnaryCall points at.
struct UnaryCall::State {
  virtual const CallInfo& info() const = 0;
  virtual EventLoop& loop() const = 0;
  virtual const Slice& request() const = 0;
  virtual void SetCancelListener(CancelListener* listener) = 0;
  virtual void AddTrailer(std::string key, std::string value) = 0;
  virtual void SetCompression(bool on) = 0;
  // Gives the call back with its answer. Loop thread.
  virtual void Answer(const Status& status, Bytes response) = 0;

 protected:
  ~State() = default;
};

class ServerCall final : public RpcStream, public ServerStream, public UnaryCall::State {
 public:
  explicit ServerCall(ServerConnection* connection);
  ~ServerCall() override = default;

  // ServerStream and UnaryCall::State
  const CallInfo& info() const override { return info_; }
  EventLoop& loop() const override { return loop_; }

  // UnaryCall::State
  const Slice& request() const override { return request_; }
  void SetCancelListener(CancelListener* listener) override { cancel_listener_ = listener; }
  void AddTrailer(std::string key, std::string value) override;
  void Answer(const Status& status, Bytes response) override;

  // ServerStream and UnaryCall::State
  void SetCompression(bool on) override;

  // ServerStream
  void SendInitialMetadata(Metadata metadata) override;
  void Send(Bytes message, bool plain = false) override;
  size_t unsent_bytes() const override { return unsent(); }
  void Finish(const Status& status, Metadata trailers) override;
  void PauseReading() override { PauseReceiving(); }
  void ResumeReading() override { ResumeReceiving(); }

 private:
  // RpcStream
  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersReceived(bool end_stream) override;
  void OnMessageReceived(Slice message) override;
  void OnReceiveError(const Status& status) override;
  void OnStalled(const Status& status) override;
  bool owes_more() const override;
  void OnPeerDone() override;
  void OnDrained() override;
  bool OnLastDataFramed() override;
  void OnHeadersSent(bool end_stream) override;
  void OnGone(uint32_t error_code, const Status* connection_lost) override;

  void SetPath(std::string_view path);
  void SetTimeout(std::string_view text);
  bool Accept();
  void RejectHttp(std::string_view http_status, const Status& status);
  void OnDeadline();
  // Ends the call on our initiative; the handler's later answer is ignored.
  void Abort(const Status& status);
  void SendStatus(const Status& status, Metadata trailers);
  void SendHeaders(const Metadata* metadata);
  void OwnStrings();

  EventLoop& loop_;
  ServerConnection* connection_;  // null once gone
  const Method* method_ = nullptr;
  CallInfo info_;
  Metadata metadata_;
  Timer deadline_timer_;
  size_t metadata_bytes_ = 0;
  TimeNs timeout_ = kNever;
  Status reject_;  // found while the headers came

  // What the headers said.
  bool post_ = false;
  bool grpc_content_ = false;
  bool caller_accepts_gzip_ = false;
  bool caller_compresses_ = false;
  bool unknown_encoding_ = false;

  bool compress_ = false;      // what is sent, unless a message is to go plain

  bool headers_received_ = false;
  bool headers_submitted_ = false;
  bool ended_ = false;         // a status was submitted or the stream reset
  bool aborted_ = false;       // not by the handler's own answer
  bool has_request_ = false;
  bool held_ = false;          // a UnaryCall refers to this
  Slice request_;              // unary
  CancelListener* cancel_listener_ = nullptr;
  std::unique_ptr<StreamHandler> handler_;  // streaming
  Status status_;              // for the trailers that follow the last message
  Metadata trailers_;

  std::string own_path_;       // where the views of info_ cannot point at longer-lived strings
  std::string own_authority_;
  std::string own_peer_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_SERVER_CALL_H_
