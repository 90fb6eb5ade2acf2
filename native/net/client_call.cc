#include "net/client_call.h"

#include <charconv>
#include <optional>
#include <utility>

#include "net/h2_session.h"
#include "net/header_list.h"
#include "net/percent_encoding.h"
#include "net/status_codes.h"

namespace skysail::net {

ClientCall::ClientCall(EventLoop& loop, ClientCallOwner* owner, ClientStreamHandler* handler,
                       const CallOptions& options, const ChannelOptions& channel)
    : RpcStream(channel.max_message_bytes),
      loop_(loop),
      owner_(owner),
      handler_(handler),
      deadline_(options.deadline),
      compress_(options.compress),
      max_metadata_bytes_(channel.max_metadata_bytes),
      deadline_timer_([this] { OnDeadline(); }) {}

void ClientCall::ArmDeadline() {
  if (deadline_ != kNever) deadline_timer_.Set(loop_, deadline_);
}

void ClientCall::End(CallResult result) {
  if (handler_ == nullptr) return;
  deadline_timer_.Cancel();
  DiscardReceived();
  ClientStreamHandler* handler = std::exchange(handler_, nullptr);
  if (owner_ != nullptr) owner_->OnCallEnded(this);
  handler->OnDone(std::move(result));
}

void ClientCall::Abandon(Status status) {
  if (session() != nullptr) {
    DropUnsent();
    session()->Reset(this, NGHTTP2_CANCEL);
  }
  End({std::move(status), std::move(metadata_), false});
}

void ClientCall::Cancel() { Abandon(Cancelled("the call was cancelled")); }

void ClientCall::OnDeadline() {
  Abandon(DeadlineExceeded("no answer came before the call's deadline"));
}

void ClientCall::OnHeader(std::string_view name, std::string_view value) {
  metadata_bytes_ += name.size() + value.size() + kHeaderOverhead;
  if (metadata_bytes_ > max_metadata_bytes_) {
    if (broken_.kind() != ErrorKind::kResourceExhausted) session()->OnOverrun(Overrun::kMetadata);
    broken_ = ResourceExhausted("metadata of the answer exceeds the limit of " +
                                std::to_string(max_metadata_bytes_) + " bytes");
    return session()->CheckHeaderBytes(metadata_bytes_);
  }
  switch (name.size()) {
    case 7:
      if (name == ":status") {
        std::from_chars(value.data(), value.data() + value.size(), http_status_);
        return;
      }
      break;
    case 11:
      if (name == "grpc-status") {
        if (has_grpc_status_) broken_ = Internal("the peer's answer has more than one grpc-status");
        has_grpc_status_ = true;
        grpc_status_ = KindOfGrpcStatus(value);
        return;
      }
      break;
    case 12:
      if (name == "content-type") {
        grpc_content_ = IsGrpcContent(value);
        return;
      }
      if (name == "grpc-message") {
        grpc_message_ = PercentDecode(value);
        return;
      }
      break;
    case 13:
      if (name == "grpc-encoding") {
        const std::optional<Encoding> encoding = ParseEncoding(value);
        if (!encoding) {
          broken_ = Internal("the peer answered in the unknown grpc-encoding '" +
                             std::string(value) + "'");
          return;
        }
        set_receive_encoding(*encoding);
        return;
      }
      break;
    case 20:
      if (name == "grpc-accept-encoding") return;
      break;
    default:
      break;
  }
  if (!AddReceivedPair(name, value, &metadata_)) {
    broken_ = Internal("metadata '" + std::string(name) + "' of the answer is not valid base64");
  }
}

void ClientCall::OnHeadersReceived(bool end_stream) {
  if (handler_ == nullptr || end_stream) return;  // trailers: looked at once the messages are out
  if (http_status_ >= 100 && http_status_ < 200) {
    // What it costs adds up all the same, so that there cannot be any number of them.
    if (broken_.kind() != ErrorKind::kResourceExhausted) broken_ = Status::Ok();
    return ForgetBlock();
  }
  if (response_begun_) return;
  response_begun_ = true;
  if (http_status_ != 200) {
    return Abandon({KindOfHttpStatus(http_status_),
                    "the peer answered with HTTP status " + std::to_string(http_status_)});
  }
  if (!grpc_content_) {
    return Abandon({ErrorKind::kUnknown, "the peer's answer is not of type application/grpc"});
  }
  if (!broken_.ok()) return Abandon(broken_);
  const Metadata initial = std::move(metadata_);
  ForgetBlock();
  handler_->OnInitialMetadata(initial);
}

void ClientCall::ForgetBlock() {
  metadata_ = Metadata();
  has_grpc_status_ = false;
  grpc_message_.clear();
}

void ClientCall::OnMessageReceived(Slice message) {
  if (handler_ != nullptr) handler_->OnMessage(std::move(message));
}

void ClientCall::OnDrained() {
  if (handler_ != nullptr) handler_->OnWritable();
}

void ClientCall::OnPeerDone() {
  // Nobody reads what we might still send.
  if (session() != nullptr && (!sending_ended() || unsent() > 0)) {
    DropUnsent();
    session()->Reset(this, NGHTTP2_CANCEL);
  }
  End({FinalStatus(), std::move(metadata_), false});
}

Status ClientCall::FinalStatus() {
  if (!broken_.ok()) return broken_;
  if (has_grpc_status_) {
    if (grpc_status_ == ErrorKind::kOk) return Status::Ok();
    return {grpc_status_, std::move(grpc_message_)};
  }
  if (http_status_ != 200) {
    return {KindOfHttpStatus(http_status_),
            "the peer answered with HTTP status " + std::to_string(http_status_)};
  }
  return {ErrorKind::kUnknown, "the peer's answer has no grpc-status"};
}

Status ClientCall::ResetStatus(uint32_t error_code) const {
  const ErrorKind kind = KindOfReset(error_code);
  if (kind == ErrorKind::kCancelled && loop_.TurnTime() >= deadline_) {
    return DeadlineExceeded("the peer gave up at the call's deadline");
  }
  return {kind, std::string("the peer reset the stream: ") + nghttp2_http2_strerror(error_code)};
}

void ClientCall::OnGone(uint32_t error_code, const Status* connection_lost) {
  if (handler_ != nullptr && peer_done() && owner_ != nullptr) {
    return owner_->KeepLoose(this);  // all has come; the reader is paused
  }
  if (handler_ != nullptr) {
    if (connection_lost != nullptr) {
      End({Unavailable(connection_lost->message()), Metadata(), !headers_sent_});
    } else {
      End({ResetStatus(error_code), Metadata(),
           error_code == NGHTTP2_REFUSED_STREAM || !headers_sent_});
    }
  }
  delete this;
}

}  // namespace skysail::net
