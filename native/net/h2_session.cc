#include "net/h2_session.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/h2_callbacks.h"
#include "net/socket.h"

namespace skysail::net {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kWriteAhead = 256 << 10;  // framed bytes that wait for the socket
constexpr int kGather = 64;
// A peer whose socket is full and that has this much to come gets no more work done for it.
constexpr size_t kPauseReadingBytes = size_t{16} << 20;
constexpr size_t kPauseReadingFrames = 10'000;
constexpr TimeNs kLingerTimeout = kSecond;
// What a peer that was cut off may send until it has read that.
constexpr size_t kMostDiscarded = size_t{4} << 20;
constexpr size_t kClientPrefaceBytes = 24;
constexpr TimeNs kDrainPingTimeout = kSecond;
constexpr uint8_t kDrainPing[8] = {'d', 'r', 'a', 'i', 'n', 0, 0, 0};
constexpr uint8_t kKeepalivePing[8] = {'a', 'l', 'i', 'v', 'e', 0, 0, 0};

// What a loop's sessions read into; nothing of it outlives the read.
char* ReadBuffer() {
  thread_local std::unique_ptr<char[]> buffer(new char[kReadBytes]);
  return buffer.get();
}

// GOAWAY(ENHANCE_YOUR_CALM) that names every stream as seen: none may be sent again elsewhere.
std::string_view CalmDown() {
  static constexpr char kFrame[] = {0,    0,    8,    NGHTTP2_GOAWAY, 0, 0, 0, 0,
                                    0,    0x7f, -1,   -1,             -1, 0, 0, 0,
                                    NGHTTP2_ENHANCE_YOUR_CALM};
  return {kFrame, sizeof(kFrame)};
}

}  // namespace

H2Session::H2Session(EventLoop& loop, const SessionOptions& options)
    : loop_(loop),
      options_(options),
      credit_step_(options.initial_window_bytes / 8),
      session_(NewNghttp2Session(options, this)),
      scanner_(options.server ? kClientPrefaceBytes : 0),
      budget_(options),
      clock_(options_, options.keepalive_without_calls),
      timer_([this] { OnTimer(); }) {}

H2Session::~H2Session() {
  loop_.ForgetFlush(this);
  nghttp2_session_del(session_);
}

const std::string& H2Session::peer() const { return stream_->peer(); }

void H2Session::Start(std::unique_ptr<ByteStream> stream) {
  stream_ = std::move(stream);
  if (options_.keepalive_interval != 0) {
    // The kernel gives a peer up that is gone while it owes an acknowledgement, which no PING could overtake.
    SetUserTimeout(stream_->fd(), options_.keepalive_interval + options_.keepalive_timeout);
  }
  clock_.Start(loop_.TurnTime());
  ArmTimer();
  interest_ = EPOLLIN;
  loop_.Watch(stream_->fd(), interest_, this);
  ContinueHandshake();
}

void H2Session::ContinueHandshake() {
  const IoResult result = stream_->Handshake();
  switch (result.kind) {
    case IoResult::Kind::kDone:
      connected_ = true;
      clock_.Heard(loop_.TurnTime());
      write_blocked_ = false;
      RequestFlush();
      break;
    case IoResult::Kind::kWantWrite:
      write_blocked_ = true;
      break;
    case IoResult::Kind::kWantRead:
      write_blocked_ = false;
      break;
    case IoResult::Kind::kEnd:
      return Close(Unavailable("the connection was closed while it was set up"));
    case IoResult::Kind::kError:
      return Close(Unavailable(std::strerror(result.error)));
  }
  UpdateInterest();
}

void H2Session::OnReady(uint32_t events) {
  if (close_wanted_) return;
  if (!connected_) return ContinueHandshake();
  if ((events & EPOLLOUT) != 0) {
    write_blocked_ = false;
    clock_.Heard(loop_.TurnTime());  // a full socket has room again: the peer takes what we send
    RequestFlush();
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ReadOnce();
}

void H2Session::ReadOnce() {
  char* buffer = ReadBuffer();
  do {
    const IoResult result = stream_->Read(buffer, kReadBytes);
    switch (result.kind) {
      case IoResult::Kind::kDone:
        if (cut_off_) {
          discarded_ += result.bytes;
          if (discarded_ > kMostDiscarded) return Close(close_reason_);
        } else if (!lingering_) {
          Receive(buffer, result.bytes);
        }
        break;
      case IoResult::Kind::kEnd:
        return Close(Unavailable("the peer closed the connection"));
      case IoResult::Kind::kError:
        return Lose(result.error);
      case IoResult::Kind::kWantRead:
      case IoResult::Kind::kWantWrite:
        return;
    }
  } while (!close_wanted_ && stream_->has_buffered_input());
}

void H2Session::Receive(const char* bytes, size_t size) {
  OnTraffic(size, 0);
  clock_.Heard(loop_.TurnTime());
  if (!Inspect({bytes, size})) return;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes), size);
  if (received_ > 0) nghttp2_session_consume_connection(session_, std::exchange(received_, 0));
  if (taken < 0) {
    protocol_error_ = true;
    return Close(Unavailable(std::string("the peer broke the HTTP/2 protocol: ") +
                             nghttp2_strerror(static_cast<int>(taken))));
  }
  RequestFlush();
}

// Looks at the frames in `bytes` before anything is done for them; false when the peer has gone too far.
bool H2Session::Inspect(std::string_view bytes) {
  const TimeNs now = loop_.TurnTime();
  FrameHead frame;
  while (scanner_.Next(&bytes, &frame)) {
    if (frame.type != NGHTTP2_CONTINUATION) frame_since_ = now;
    const Offence offence = budget_.OnFrame(frame, now);
    if (offence == Offence::kNone) continue;
    Offend(offence);
    return false;
  }
  if (scanner_.mid_frame()) Watch();
  return true;
}

void H2Session::Offend(Offence offence) {
  if (offence == Offence::kNone || offence_ != Offence::kNone || close_wanted_ || lingering_) return;
  offence_ = offence;
  RequestFlush();  // streams may be in the middle of a call to their handlers
}

// Nothing more is done for this peer: its calls end now, and it is told why if it cares to read.
void H2Session::CutOff() {
  cut_off_ = true;
  close_reason_ = Unavailable("the peer was cut off: " + std::string(OffenceName(offence_)));
  OnOffence(offence_);
  OnGoaway();  // first: a stream's end may start a new call
  EndStreams();
  output_.Copy(CalmDown().data(), CalmDown().size());
  clock_.Leave(loop_.TurnTime() + kLingerTimeout);
  ArmTimer();
}

void H2Session::Flush() {
  if (offence_ != Offence::kNone && !cut_off_ && !close_wanted_) CutOff();
  if (!close_wanted_ && connected_ && !write_blocked_) WriteOut();
  if (close_wanted_) return FinishClose();
  UpdateInterest();
  CloseIfOver();
}

void H2Session::WriteOut() {
  for (;;) {
    const bool more = FillOutput();
    if (close_wanted_ || output_.empty()) return;
    iovec pieces[kGather];
    const IoResult result = stream_->Write(pieces, output_.Gather(pieces, kGather));
    if (result.kind == IoResult::Kind::kError) {
      return Lose(result.error);
    }
    if (result.kind != IoResult::Kind::kDone) {
      write_blocked_ = true;
      Watch();
      return;
    }
    OnTraffic(0, result.bytes);
    written_.Add(result.bytes);
    output_.Consume(result.bytes);
    if (!more && output_.empty()) return;
  }
}

// Frames what there is, up to kWriteAhead; false when nothing was left to frame.
bool H2Session::FillOutput() {
  if (cut_off_) return false;
  while (output_.size() < kWriteAhead) {
    const uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n < 0) {
      Close(Internal(std::string("HTTP/2 framing failed: ") +
                     nghttp2_strerror(static_cast<int>(n))));
      return false;
    }
    if (n > 0) {
      output_.Copy(bytes, static_cast<size_t>(n));
      continue;
    }
    if (drained_.empty()) return false;
    ReportDrained();
    if (close_wanted_) return false;
  }
  return true;
}

void H2Session::ReportDrained() {
  std::vector<int32_t> drained;
  drained.swap(drained_);
  for (const int32_t id : drained) {
    RpcStream* stream = Find(id);
    if (stream != nullptr && stream->unsent() == 0 && !stream->drain_reported_) {
      stream->drain_reported_ = true;
      stream->OnDrained();
    }
    if (close_wanted_) return;
  }
}

void H2Session::UpdateInterest() {
  if (close_wanted_) return;
  // A client always reads: if both sides waited for the other to read, neither would go on.
  const bool choked =
      options_.server && write_blocked_ && connected_ &&
      (unsent_ + output_.size() > kPauseReadingBytes ||
       nghttp2_session_get_outbound_queue_size(session_) > kPauseReadingFrames);
  const uint32_t wanted =
      (choked ? 0u : uint32_t{EPOLLIN}) | (write_blocked_ ? uint32_t{EPOLLOUT} : 0u);
  if (wanted == interest_) return;
  interest_ = wanted;
  loop_.Rewatch(stream_->fd(), interest_, this);
}

// A session that neither side can use any more: after GOAWAY and the last stream, or an error.
void H2Session::CloseIfOver() {
  if (lingering_ || !connected_ || !output_.empty()) return;
  const bool in_use = nghttp2_session_want_read(session_) != 0 ||
                      nghttp2_session_want_write(session_) != 0;
  if (cut_off_ || !in_use) Linger();
}

// Closing a socket with unread input makes the kernel reset it, and the peer may then lose what we
// sent last. So: say that we are done, and read until the peer has closed.
void H2Session::Linger() {
  lingering_ = true;
  if (!cut_off_) OnGoaway();
  stream_->ShutdownWrite();
  clock_.Leave(loop_.TurnTime() + kLingerTimeout);
  ArmTimer();
}

void H2Session::Close(Status why) {
  if (close_wanted_) return;
  close_wanted_ = true;
  close_reason_ = std::move(why);
  RequestFlush();  // streams may be in the middle of a call to their handlers
}

void H2Session::FinishClose() {
  timer_.Cancel();
  if (stream_ != nullptr) loop_.Unwatch(stream_->fd());
  OnClosed(close_reason_, protocol_error_);  // first: a stream's end may start a new call
  EndStreams();
  OnFinished();
}

void H2Session::EndStreams() {
  while (streams_ != nullptr) {
    RpcStream* stream = streams_;
    Detach(stream);
    stream->OnGone(NGHTTP2_INTERNAL_ERROR, &close_reason_);
  }
}

void H2Session::Drain() {
  if (draining_ || close_wanted_ || cut_off_) return;
  draining_ = true;
  if (!ready_) {  // nothing was promised yet
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
  } else {
    // The peer may have calls on the way that it believes welcome: it is first told to stop, and
    // the last stream is named when its answer to a PING shows that it has heard.
    nghttp2_submit_shutdown_notice(session_);
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kDrainPing);
    clock_.Drain(loop_.TurnTime() + kDrainPingTimeout);
    ArmTimer();
  }
  RequestFlush();
}

void H2Session::OnPingAck(const uint8_t* opaque) {
  if (draining_ && std::memcmp(opaque, kDrainPing, sizeof(kDrainPing)) == 0) NameLastStream();
}

void H2Session::NameLastStream() {
  if (std::exchange(last_stream_named_, true)) return;
  clock_.LastStreamNamed();
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  RequestFlush();
}

void H2Session::Attach(RpcStream* stream, int32_t id) {
  stream->session_ = this;
  stream->id_ = id;
  stream->previous_ = nullptr;
  stream->next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = stream;
  streams_ = stream;
  current_ = stream;
  if (++open_streams_ > 1) return;
  clock_.Busy(loop_.TurnTime());
  clock_.Watch(loop_.TurnTime());
  ArmTimer();
}

void H2Session::Detach(RpcStream* stream) {
  if (stream->previous_ != nullptr) {
    stream->previous_->next_ = stream->next_;
  } else {
    streams_ = stream->next_;
  }
  if (stream->next_ != nullptr) stream->next_->previous_ = stream->previous_;
  if (current_ == stream) current_ = nullptr;
  unsent_ -= stream->unsent();
  incomplete_ -= stream->held_incomplete_;
  stream->session_ = nullptr;
  if (--open_streams_ == 0) clock_.Idle(loop_.TurnTime());
}

void H2Session::OnTimer() {
  for (;;) {
    const PeerClock::Due due = clock_.Check(loop_.TurnTime());
    if (due == PeerClock::Due::kNothing) break;
    OnDue(due);
    if (close_wanted_) return;
  }
  ArmTimer();
}

void H2Session::OnDue(PeerClock::Due due) {
  switch (due) {
    case PeerClock::Due::kNothing:
      return;
    case PeerClock::Due::kEnd:
      return Close(cut_off_ ? close_reason_ : Unavailable("the connection was closed after GOAWAY"));
    case PeerClock::Due::kSlowHandshake:
      return GiveUp(Offence::kSlowHandshake, connected_ ? "the peer sent no HTTP/2 settings in time"
                                                        : "the connection was not set up in time");
    case PeerClock::Due::kPing:
      nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, kKeepalivePing);
      return RequestFlush();
    case PeerClock::Due::kVanished:
      return GiveUp(Offence::kVanished, "the peer did not answer a keep-alive PING");
    case PeerClock::Due::kIdle:
    case PeerClock::Due::kOld:
      OnRetired();
      return Drain();
    case PeerClock::Due::kLook:
      return LookForStalls();
    case PeerClock::Due::kLastStream:
      return NameLastStream();  // the peer does not answer
  }
}

// Arms the timer for what the clock says, unless it fires before that anyway.
void H2Session::ArmTimer() {
  const TimeNs next = clock_.Next();
  if (next < timer_.at()) timer_.Set(loop_, next);
}

void H2Session::Watch() {
  if (clock_.Watch(loop_.TurnTime())) ArmTimer();
}

void H2Session::LookForStalls() {
  const TimeNs now = loop_.TurnTime();
  if (scanner_.mid_frame() && now - frame_since_ >= options_.incomplete_timeout) {
    return Offend(Offence::kSlowHeaders);
  }
  if (written_.Stalled(write_blocked_ && connected_, now, options_.untaken_timeout)) {
    return Offend(Offence::kSlowReader);
  }
  const bool reading = (interest_ & EPOLLIN) != 0;
  ForEachStream([&](RpcStream* stream) { stream->LookForStalls(now, options_, reading); });
  if (open_streams_ > 0 || write_blocked_ || scanner_.mid_frame()) Watch();
}

void H2Session::Lose(int error) {
  const std::string why = std::string("connection lost: ") + std::strerror(error);
  if (error == ETIMEDOUT) return GiveUp(Offence::kVanished, why);  // the kernel was the first to notice
  Close(Unavailable(why));
}

// The connection ends and is counted; the peer is not told, since it would not understand.
void H2Session::GiveUp(Offence offence, std::string why) {
  if (offence_ == Offence::kNone) OnOffence(offence);
  Close(Unavailable(std::move(why)));
}

}  // namespace skysail::net
