#include "net/rpc_stream.h"

#include <string>
#include <utility>

#include "net/h2_session.h"

namespace skysail::net {

void RpcStream::QueueMessage(Bytes message, bool compress) {
  if (session_ == nullptr || sending_ended_) return;
  const size_t before = outbound_.size();
  if (compress && !message.empty()) {
    outbound_.Push(GzipCompress(message), true);
  } else {
    outbound_.Push(std::move(message), false);
  }
  drain_reported_ = false;
  session_->AddUnsent(outbound_.size() - before);
  if (data_deferred_) session_->ResumeData(this);
}

void RpcStream::EndSending() {
  sending_ended_ = true;
  if (data_deferred_ && session_ != nullptr) session_->ResumeData(this);
}

void RpcStream::DropUnsent() {
  if (session_ != nullptr) session_->RemoveUnsent(outbound_.size());
  outbound_.Clear();
}

void RpcStream::Receive(std::string_view data) {
  unreturned_ += data.size();
  received_progress_.Add(data.size());
  if (!paused_) ReturnCredit();
  ReceivedMessage message;
  while (!discarding_) {
    switch (decoder_.Next(&data, &message)) {
      case MessageDecoder::Outcome::kNeedMore:
        return HoldIncomplete(decoder_.held_bytes());
      case MessageDecoder::Outcome::kError:
        return RefuseReceived(decoder_.status(), Overrun::kMessage);
      case MessageDecoder::Outcome::kMessage:
        received_progress_.Complete();
        if (paused_ || waiting_head_ < waiting_.size()) {
          waiting_.push_back(std::move(message));
        } else {
          Deliver(std::move(message));
        }
    }
  }
}

// The session counts what it holds for messages of all streams that have not come to their end.
void RpcStream::HoldIncomplete(size_t bytes) {
  if (bytes == held_incomplete_ || session_ == nullptr) return;
  if (session_->HoldIncomplete(std::exchange(held_incomplete_, bytes), bytes)) return;
  RefuseReceived(ResourceExhausted("the messages that have begun to come on this connection exceed the limit "
                                   "together; send fewer at a time"),
                 Overrun::kIncomplete);
}

void RpcStream::RefuseReceived(const Status& status, Overrun overrun) {
  if (session_ != nullptr && status.kind() == ErrorKind::kResourceExhausted) session_->OnOverrun(overrun);
  DiscardReceived();
  OnReceiveError(status);
}

// `reading`: what the peer sends is read.
void RpcStream::LookForStalls(TimeNs now, const PeerLimits& limits, bool reading) {
  const bool owes = reading && !paused_ && !discarding_ && !peer_done_ && owes_more();
  if (received_progress_.Stalled(owes, now, limits.incomplete_timeout)) {
    session_->OnOverrun(Overrun::kSlowMessage);
    return OnStalled(DeadlineExceeded("a message had begun and did not go on for " +
                                      std::to_string(limits.incomplete_timeout / kMillisecond) + " ms"));
  }
  if (sent_progress_.Stalled(unsent() > 0, now, limits.untaken_timeout)) {
    session_->OnOverrun(Overrun::kUntaken);
    OnStalled(Unavailable("what was sent was not taken for " +
                          std::to_string(limits.untaken_timeout / kMillisecond) + " ms"));
  }
}

void RpcStream::Deliver(ReceivedMessage message) {
  if (!message.compressed) return OnMessageReceived(std::move(message.bytes));
  Result<Slice> plain = receive_encoding_ == Encoding::kIdentity
                            ? Internal("received message is marked compressed, but the call has no "
                                       "grpc-encoding")
                            : Decompress(message.bytes.view(), max_message_bytes_);
  if (plain.ok()) return OnMessageReceived(std::move(*plain));
  RefuseReceived(plain.status(), Overrun::kInflated);
}

void RpcStream::PeerDone() {
  peer_done_ = true;
  if (discarding_) return;
  if (decoder_.mid_message()) {
    DiscardReceived();
    OnReceiveError(Internal("the stream ended in the middle of a message"));
    return;
  }
  ReportPeerDone();
}

void RpcStream::ReportPeerDone() {
  if (peer_done_reported_ || paused_ || discarding_ || waiting_head_ < waiting_.size()) return;
  peer_done_reported_ = true;
  OnPeerDone();
}

void RpcStream::ResumeReceiving() {
  paused_ = false;
  if (delivering_) return;
  DeliverWaiting();
  if (paused_) return;
  ReturnCredit();
  if (peer_done_) ReportPeerDone();
}

void RpcStream::DeliverWaiting() {
  delivering_ = true;
  while (!paused_ && !discarding_ && waiting_head_ < waiting_.size()) {
    Deliver(std::move(waiting_[waiting_head_++]));
  }
  delivering_ = false;
  if (waiting_head_ == waiting_.size()) {
    waiting_.clear();
    waiting_head_ = 0;
  }
}

void RpcStream::DiscardReceived() {
  discarding_ = true;
  decoder_.Drop();
  if (session_ != nullptr) session_->HoldIncomplete(std::exchange(held_incomplete_, 0), 0);
  paused_ = false;
  if (!delivering_) {
    waiting_.clear();
    waiting_head_ = 0;
  }
  ReturnCredit();
}

void RpcStream::ReturnCredit() {
  if (session_ == nullptr || unreturned_ < session_->credit_step()) return;
  session_->ReturnCredit(id_, std::exchange(unreturned_, 0));
}

}  // namespace skysail::net
