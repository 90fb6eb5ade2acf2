// An HTTP/2 connection (either role) over a ByteStream: reads, frames and writes for RpcStreams.
//
// One read per readiness; everything that its bytes caused leaves in one gathered write at the end
// of the turn. When the peer does not take our bytes, reading from it stops at a bound. Owned by
// its event loop: after Close the streams are told, and OnFinished is called from the loop (never
// from inside another call), where the owner deletes the session. Loop thread only.
#ifndef SKYSAIL_NET_H2_SESSION_H_
#define SKYSAIL_NET_H2_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/byte_stream.h"
#include "net/event_loop.h"
#include "net/frame_scanner.h"
#include "net/offence.h"
#include "net/output_buffer.h"
#include "net/peer_budget.h"
#include "net/peer_clock.h"
#include "net/peer_limits.h"
#include "net/progress.h"
#include "net/reset_streams.h"
#include "net/rpc_stream.h"

namespace skysail::net {

// The limits bound the peer, whichever role it has.
struct SessionOptions : PeerLimits {
  bool server = false;
  bool keepalive_without_calls = true;
};

class H2Session : private IoHandler, private Flushable {
 public:
  ~H2Session();  // not virtual: derived classes are final and delete themselves
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;

  EventLoop& loop() const { return loop_; }
  const std::string& peer() const;
  size_t open_streams() const { return open_streams_; }
  bool closed() const { return close_wanted_; }

  // Ends the connection at the end of this turn; streams still open learn `why`.
  void Close(Status why);
  // Two-step GOAWAY: no new calls, calls in flight are answered, then the connection closes.
  void Drain();
  bool draining() const { return draining_; }

  // Submissions by streams.
  void SubmitResponse(RpcStream* stream, const nghttp2_nv* headers, size_t count, bool with_body);
  void SubmitTrailers(RpcStream* stream, const nghttp2_nv* headers, size_t count);
  // Opens a stream; false when the session can open no more.
  bool SubmitRequest(RpcStream* stream, const nghttp2_nv* headers, size_t count);
  void Reset(RpcStream* stream, uint32_t error_code);
  // The peer has gone too far: the connection ends with GOAWAY at the end of this turn.
  void Offend(Offence offence);
  // The unpacked size of a header block, once it is over the limit.
  void CheckHeaderBytes(size_t bytes) { Offend(budget_.OnHeaderBytes(bytes)); }
  // A call has gone too far, and is ended or refused for it.
  virtual void OnOverrun(Overrun overrun) = 0;
  void RequestFlush() { loop_.FlushAtEndOfTurn(this); }

 protected:
  H2Session(EventLoop& loop, const SessionOptions& options);
  // Begins with `stream`, which may still have to connect.
  void Start(std::unique_ptr<ByteStream> stream);

  // Server: the object of a stream that the peer opened; null refuses it.
  virtual RpcStream* NewStream(int32_t id) = 0;
  virtual void OnEstablished() = 0;  // the peer's SETTINGS have come
  virtual void OnGoaway() = 0;  // no new streams may be opened
  virtual void OnStreamGone() = 0;
  virtual void OnTraffic(size_t read, size_t written) = 0;
  virtual void OnOffence(Offence offence) = 0;  // once at most
  virtual void OnRetired() = 0;  // idle or old, it is told to go
  virtual void OnClosed(const Status& why, bool protocol_error) = 0;
  virtual void OnFinished() = 0;  // delete the session now

  template <typename F>
  void ForEachStream(F visit) {
    for (RpcStream* stream = streams_; stream != nullptr;) {
      RpcStream* next = stream->next_;
      visit(stream);
      stream = next;
    }
  }

 private:
  friend class RpcStream;
  friend struct SessionCallbacks;

  // For RpcStream.
  void AddUnsent(size_t bytes) { unsent_ += bytes; }
  void RemoveUnsent(size_t bytes) { unsent_ -= bytes; }
  void ResumeData(RpcStream* stream);
  size_t credit_step() const { return credit_step_; }
  // `held` bytes of incomplete messages instead of `before`; false when that is too much.
  bool HoldIncomplete(size_t before, size_t held) {
    incomplete_ += held - before;
    return held <= before || incomplete_ <= options_.max_incomplete_bytes;
  }
  void ReturnCredit(int32_t stream_id, size_t bytes);

  void OnReady(uint32_t events) override;
  void Flush() override;
  void ContinueHandshake();
  void Heard();
  void ReadOnce();
  void Receive(const char* bytes, size_t size);
  bool Inspect(std::string_view bytes);
  void CutOff();
  void WriteOut();
  bool FillOutput();
  void ReportDrained();
  void UpdateInterest();
  void CloseIfOver();
  void Linger();
  void FinishClose();
  void EndStreams();
  void Attach(RpcStream* stream, int32_t id);
  void Detach(RpcStream* stream);
  RpcStream* Find(int32_t id);
  void Established();
  void OnTimer();
  void OnDue(PeerClock::Due due);
  void ArmTimer();
  void Watch();
  void LookForStalls();
  void Lose(int error);
  void GiveUp(Offence offence, std::string why);
  void OnPingAck(const uint8_t* opaque);
  void NameLastStream();

  // Constant after construction.
  EventLoop& loop_;
  const SessionOptions options_;
  const size_t credit_step_;
  nghttp2_session* session_ = nullptr;

  std::unique_ptr<ByteStream> stream_;
  RpcStream* streams_ = nullptr;  // intrusive list
  RpcStream* current_ = nullptr;  // the one looked up last
  size_t open_streams_ = 0;
  OutputBuffer output_;
  size_t unsent_ = 0;  // in the streams' queues
  size_t incomplete_ = 0;  // received, of messages that have not come to their end
  std::vector<int32_t> drained_;
  int32_t last_opened_ = 0;  // the highest stream for which a caller has sent headers
  ResetStreams reset_;
  size_t received_ = 0;  // of the connection window, in this turn
  uint32_t interest_ = 0;
  bool connected_ = false;
  bool ready_ = false;
  bool write_blocked_ = false;
  bool draining_ = false;
  bool last_stream_named_ = false;  // the second GOAWAY of a drain is queued
  bool lingering_ = false;
  bool close_wanted_ = false;  // done at the end of the turn
  bool protocol_error_ = false;
  Status close_reason_;
  FrameScanner scanner_;
  PeerBudget budget_;
  Offence offence_ = Offence::kNone;
  bool cut_off_ = false;    // the GOAWAY for it is under way; nghttp2 is not asked any more
  size_t discarded_ = 0;    // read since then
  PeerClock clock_;
  Timer timer_;             // fires when clock_ may have something, never later
  TimeNs frame_since_ = 0;  // the frame that is being received, or its header block
  Progress written_;        // what the socket takes
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_H2_SESSION_H_
