#include "services/hop_channel.h"

#include <utility>
#include <vector>

#include "base/clock.h"
#include "services/hop_frame.h"

namespace skysail::services {
namespace {

// A peer that leaves so much untaken gets its calls otherwise.
constexpr size_t kMaxUnsentBytes = size_t{8} << 20;

}  // namespace

// One stream. Holds itself until it has ended.
class HopChannel::Stream final : public net::ClientStreamHandler,
                                 public std::enable_shared_from_this<HopChannel::Stream> {
 public:
  void Open(net::ClientChannel& channel) {
    self_ = shared_from_this();
    stream_ = channel.Start(kHopMethod, {}, this);
  }
  bool open() const { return stream_ != nullptr; }
  bool full() const {
    return in_flight_ == kMaxHopCalls || stream_->unsent_bytes() > kMaxUnsentBytes;
  }

  uint64_t Send(const InferCall& call, TimeNs now, HopAnswerHandler* handler) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const uint32_t at = free_.back();
    free_.pop_back();
    Slot& slot = slots_[at];
    slot.handler = handler;
    ++in_flight_;
    const uint64_t id = static_cast<uint64_t>(++slot.use) << 32 | at;
    stream_->Send(EncodeHopRequest(id, call, now));
    return id;
  }

  void Cancel(uint64_t id) {
    if (Release(id) == nullptr || stream_ == nullptr) return;
    stream_->Send(EncodeHopCancel(id));
    HalfCloseIfOver();
  }

  // No more calls will be sent; those under way are waited for.
  void Drain() {
    draining_ = true;
    HalfCloseIfOver();
  }
  // Nobody waits for anything any more.
  void Close() {
    slots_.clear();
    free_.clear();
    in_flight_ = 0;
    if (stream_ != nullptr) stream_->Cancel();
  }

  void OnMessage(Slice frame) override {
    uint64_t id = 0;
    InferResponse response;
    const Status status = ParseHopResponse(frame, &id, &response);
    if (!status.ok()) {
      broken_ = status;
      return stream_->Cancel();
    }
    HopAnswerHandler* handler = Release(id);
    if (handler == nullptr) return;  // given up meanwhile
    HalfCloseIfOver();
    handler->OnHopAnswer(std::move(response), false);
  }

  void OnDone(net::CallResult result) override {
    const std::shared_ptr<Stream> self = std::move(self_);
    stream_ = nullptr;
    // Ended well with calls open is a broken promise too.
    const Status why = !broken_.ok() ? broken_
                       : result.status.kind() == ErrorKind::kUnimplemented
                           ? result.status
                           : Unavailable("the connection to the next service was lost: " +
                                         result.status.message());
    // A handler may give up calls that have yet to be told, or close everything.
    for (size_t at = 0; at < slots_.size(); ++at) {
      HopAnswerHandler* handler = std::exchange(slots_[at].handler, nullptr);
      if (handler == nullptr) continue;
      InferResponse response = InferResponse::Error(why);
      response.unprocessed = result.unprocessed;
      handler->OnHopAnswer(std::move(response), why.kind() == ErrorKind::kUnavailable);
    }
  }

 private:
  struct Slot {
    HopAnswerHandler* handler = nullptr;
    uint32_t use = 0;
  };

  // Whose call that is; null when it is none's (any more).
  HopAnswerHandler* Release(uint64_t id) {
    const auto at = static_cast<uint32_t>(id);
    if (at >= slots_.size() || slots_[at].use != id >> 32) return nullptr;
    HopAnswerHandler* handler = std::exchange(slots_[at].handler, nullptr);
    if (handler == nullptr) return nullptr;
    free_.push_back(at);
    --in_flight_;
    return handler;
  }
  void HalfCloseIfOver() {
    if (!draining_ || in_flight_ > 0 || half_closed_ || stream_ == nullptr) return;
    half_closed_ = true;
    stream_->HalfClose();
  }

  std::shared_ptr<Stream> self_;  // while open
  net::ClientStream* stream_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t in_flight_ = 0;
  Status broken_;
  bool draining_ = false;
  bool half_closed_ = false;
};

HopChannel::HopChannel(net::ClientChannel& channel) : channel_(channel) {
  channel_.SetStateListener([this](net::ClientChannel::State state) {
    using State = net::ClientChannel::State;
    if (state == State::kConnecting || state == State::kReady || stream_ == nullptr) return;
    std::exchange(stream_, nullptr)->Drain();
  });
}

HopChannel::~HopChannel() {
  channel_.SetStateListener(nullptr);
  if (stream_ != nullptr) stream_->Close();
}

bool HopChannel::Send(const InferCall& call, TimeNs now, HopAnswerHandler* handler, Ticket* ticket) {
  if (stream_ == nullptr || !stream_->open()) {
    auto opened = std::make_shared<Stream>();
    opened->Open(channel_);  // where connecting fails at once, the listener lets go of stream_
    stream_ = std::move(opened);
  }
  if (stream_->full()) return false;
  *ticket = {stream_, stream_->Send(call, now, handler)};
  return true;
}

void HopChannel::Cancel(const Ticket& ticket) {
  const std::shared_ptr<void> stream = ticket.stream.lock();
  if (stream != nullptr) static_cast<Stream*>(stream.get())->Cancel(ticket.call_id);
}

}  // namespace skysail::services
