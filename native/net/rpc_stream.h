// One HTTP/2 stream as a sequence of gRPC messages each way: what the server's call and the
// client's call have in common. Loop thread only.
//
// Receiving: DATA is cut into messages, decompressed and handed to OnMessageReceived; while paused
// they wait and no flow-control credit is returned, so that what waits is bounded by the stream's
// window. Sending: messages queue here and leave when the session's turn ends.
#ifndef SKYSAIL_NET_RPC_STREAM_H_
#define SKYSAIL_NET_RPC_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/slice.h"
#include "base/status.h"
#include "net/gzip.h"
#include "net/message_decoder.h"
#include "net/offence.h"
#include "net/outbound_messages.h"
#include "net/progress.h"

namespace skysail::net {

class H2Session;
struct PeerLimits;

class RpcStream {
 public:
  virtual ~RpcStream() = default;
  RpcStream(const RpcStream&) = delete;
  RpcStream& operator=(const RpcStream&) = delete;

  int32_t id() const { return id_; }

 protected:
  explicit RpcStream(size_t max_message_bytes)
      : decoder_(max_message_bytes), max_message_bytes_(max_message_bytes) {}

  // What the session reports.
  virtual void OnHeader(std::string_view name, std::string_view value) = 0;
  virtual void OnHeadersReceived(bool end_stream) = 0;
  virtual void OnMessageReceived(Slice message) = 0;
  // The peer's bytes make no sense or pass a limit; no message will follow.
  virtual void OnReceiveError(const Status& status) = 0;
  // It has gone on too slowly for too long: it is to be ended.
  virtual void OnStalled(const Status& status) = 0;
  // The peer is to send more, whatever we do.
  virtual bool owes_more() const { return decoder_.mid_message(); }
  virtual void OnPeerDone() = 0;  // after its last message
  virtual void OnDrained() = 0;   // unsent() fell to zero and more may be sent
  // Everything queued has been framed and sending is done: true ends the stream with the last
  // DATA frame, false when trailers were submitted instead.
  virtual bool OnLastDataFramed() = 0;
  // A HEADERS frame was framed: ours end the stream (trailers) or not.
  virtual void OnHeadersSent(bool end_stream) = 0;
  // The session has forgotten the stream; the last call. `connection_lost` is null after a regular
  // end or a reset with `error_code`.
  virtual void OnGone(uint32_t error_code, const Status* connection_lost) = 0;

  H2Session* session() const { return session_; }  // null before Attach and after OnGone
  void QueueMessage(Bytes message, bool compress);
  void EndSending();  // what is queued still goes out; nothing is queued after it
  void DropUnsent();
  size_t unsent() const { return outbound_.size(); }
  bool sending_ended() const { return sending_ended_; }

  void PauseReceiving() { paused_ = true; }
  void ResumeReceiving();
  void DiscardReceived();  // whatever still comes is dropped
  bool peer_done() const { return peer_done_; }
  void set_receive_encoding(Encoding encoding) { receive_encoding_ = encoding; }

 private:
  friend class H2Session;
  friend struct SessionCallbacks;

  void Receive(std::string_view data);
  void HoldIncomplete(size_t bytes);
  void RefuseReceived(const Status& status, Overrun overrun);
  void LookForStalls(TimeNs now, const PeerLimits& limits, bool reading);
  void PeerDone();
  void Deliver(ReceivedMessage message);
  void DeliverWaiting();
  void ReportPeerDone();
  void ReturnCredit();

  H2Session* session_ = nullptr;
  RpcStream* previous_ = nullptr;  // the session's list
  RpcStream* next_ = nullptr;
  int32_t id_ = 0;
  Encoding receive_encoding_ = Encoding::kIdentity;
  bool paused_ = false;
  bool discarding_ = false;
  bool delivering_ = false;
  bool peer_done_ = false;
  bool peer_done_reported_ = false;
  bool sending_ended_ = false;
  bool data_deferred_ = false;    // nghttp2 waits to be told that there is data again
  bool drain_reported_ = true;

  MessageDecoder decoder_;
  const size_t max_message_bytes_;
  size_t held_incomplete_ = 0;  // of a message, as the session knows
  Progress received_progress_, sent_progress_;
  size_t unreturned_ = 0;  // received bytes whose credit the peer has not got back
  std::vector<ReceivedMessage> waiting_;  // came while paused
  size_t waiting_head_ = 0;
  OutboundMessages outbound_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_RPC_STREAM_H_
