#include "net/server_call.h"

#include <optional>
#include <utility>

#include "net/grpc_timeout.h"
#include "net/header_list.h"
#include "net/server_connection.h"

namespace skysail::net {
ServerCall::ServerCall(ServerConnection* connection)
    : RpcStream(connection->options().max_message_bytes),
      loop_(connection->loop()),
      connection_(connection),
      deadline_timer_([this] { OnDeadline(); }) {
  info_.arrived = loop_.TurnTime();
  info_.inner = connection->inner();
  info_.peer = connection->peer();
  info_.metadata = &metadata_;
}

void ServerCall::OnHeader(std::string_view name, std::string_view value) {
  metadata_bytes_ += name.size() + value.size() + kHeaderOverhead;
  if (metadata_bytes_ > connection_->options().max_metadata_bytes) {
    return session()->CheckHeaderBytes(metadata_bytes_);
  }
  if (headers_received_) return;  // trailers mean nothing from a caller
  switch (name.size()) {
    case 2:
      if (name == "te") return;
      break;
    case 5:
      if (name == ":path") return SetPath(value);
      break;
    case 7:
      if (name == ":method") {
        post_ = value == "POST";
        return;
      }
      if (name == ":scheme") return;
      break;
    case 10:
      if (name == ":authority") {
        info_.authority = connection_->RememberAuthority(value);
        if (info_.authority.data() == nullptr) info_.authority = own_authority_ = value;
        return;
      }
      if (name == "user-agent") return;
      break;
    case 12:
      if (name == "content-type") {
        grpc_content_ = IsGrpcContent(value);
        return;
      }
      if (name == "grpc-timeout") return SetTimeout(value);
      break;
    case 13:
      if (name == "grpc-encoding") {
        const std::optional<Encoding> encoding = ParseEncoding(value);
        unknown_encoding_ = !encoding;
        if (unknown_encoding_) {
          reject_ = Unimplemented("grpc-encoding '" + std::string(value) +
                                  "' is not supported; use one of " +
                                  std::string(kAcceptedEncodings));
          return;
        }
        set_receive_encoding(*encoding);
        caller_compresses_ = *encoding != Encoding::kIdentity;
        return;
      }
      break;
    case 14:
      if (name == "content-length") return;
      break;
    case 20:
      if (name == "grpc-accept-encoding") {
        caller_accepts_gzip_ = value.find("gzip") != std::string_view::npos;
        return;
      }
      break;
    default:
      break;
  }
  if (!AddReceivedPair(name, value, &metadata_)) {
    reject_ = InvalidArgument("metadata '" + std::string(name) + "' is not valid base64");
  }
}

void ServerCall::SetPath(std::string_view path) {
  method_ = connection_->FindMethod(path);
  info_.method = method_ != nullptr && !method_->path.empty() ? std::string_view(method_->path)
                                                             : (own_path_ = path);
}

void ServerCall::SetTimeout(std::string_view text) {
  const std::optional<TimeNs> timeout = ParseGrpcTimeout(text);
  if (!timeout) {
    reject_ = InvalidArgument("grpc-timeout '" + std::string(text) +
                              "' is malformed; expected 1 to 8 digits and one of H M S m u n");
    return;
  }
  timeout_ = *timeout;
  if (timeout_ != kNever) info_.deadline = info_.arrived + timeout_;
}

void ServerCall::OnHeadersReceived(bool) {
  if (headers_received_) return;
  headers_received_ = true;
  SetCompression(caller_compresses_ || connection_->options().compress_responses);
  if (!Accept() || method_->unary != nullptr) return;
  std::unique_ptr<StreamHandler> handler = method_->stream(*this);
  if (handler != nullptr) {
    handler_ = std::move(handler);
  } else if (!ended_) {
    Abort(Unimplemented("method " + std::string(info_.method) + " is not implemented"));
  }
}

// Whether the call may go to its handler; answers it otherwise.
bool ServerCall::Accept() {
  const size_t limit = connection_->options().max_metadata_bytes;
  if (metadata_bytes_ > limit) {
    session()->OnOverrun(Overrun::kMetadata);
    Abort(ResourceExhausted("received metadata of " + std::to_string(metadata_bytes_) +
                            " bytes exceeds the limit of " + std::to_string(limit) + " bytes"));
  } else if (!post_) {
    RejectHttp("405", Internal("gRPC calls use the method POST"));
  } else if (!grpc_content_) {
    RejectHttp("415", Internal("expected the content-type application/grpc"));
  } else if (method_ == nullptr) {
    Abort(Unimplemented("method " + std::string(info_.method) + " is not implemented"));
  } else if (!reject_.ok()) {
    Abort(reject_);
  } else if (timeout_ <= 0) {
    Abort(DeadlineExceeded("the deadline had passed when the call arrived"));
  } else {
    if (info_.deadline != kNever) deadline_timer_.Set(loop_, info_.deadline);
    return true;
  }
  return false;
}

void ServerCall::RejectHttp(std::string_view http_status, const Status& status) {
  ended_ = aborted_ = headers_submitted_ = true;
  DiscardReceived();
  HeaderList headers;
  headers.AddStatic(":status", http_status);
  headers.AddStatic("content-type", kContentType);
  headers.AddStatus(status);
  session()->SubmitResponse(this, headers.data(), headers.size(), false);
}

void ServerCall::OnMessageReceived(Slice message) {
  if (ended_) return;
  if (handler_ != nullptr) return handler_->OnMessage(std::move(message));
  if (has_request_) return Abort(Internal("a unary call carries one message; more were received"));
  has_request_ = true;
  request_ = std::move(message);
}

void ServerCall::OnPeerDone() {
  if (ended_) return;
  if (handler_ != nullptr) return handler_->OnHalfClose();
  if (!has_request_) return Abort(Internal("a unary call carries one message; none was received"));
  held_ = true;
  method_->unary->Handle(UnaryCall(this));
}

void ServerCall::OnReceiveError(const Status& status) { Abort(status); }

void ServerCall::OnStalled(const Status& status) {
  if (!ended_) return Abort(status);
  DropUnsent();  // of an answer that is complete: the status stands behind it
  session()->Reset(this, NGHTTP2_ENHANCE_YOUR_CALM);
}

bool ServerCall::owes_more() const {
  return RpcStream::owes_more() || (headers_received_ && method_ != nullptr && method_->unary != nullptr);
}

void ServerCall::OnDrained() {
  if (handler_ != nullptr && !ended_) handler_->OnWritable();
}

void ServerCall::OnDeadline() { Abort(DeadlineExceeded("the call's deadline has passed")); }

void ServerCall::Abort(const Status& status) {
  if (ended_ || session() == nullptr) return;
  aborted_ = true;
  deadline_timer_.Cancel();
  DiscardReceived();
  if (unsent() > 0) {  // the status would have to wait behind messages that nobody takes
    ended_ = true;
    DropUnsent();
    session()->Reset(this, NGHTTP2_CANCEL);
  } else {
    SendStatus(status, Metadata());
  }
  if (held_ && cancel_listener_ != nullptr) std::exchange(cancel_listener_, nullptr)->OnCancel();
}

void ServerCall::AddTrailer(std::string key, std::string value) {
  trailers_.Add(std::move(key), std::move(value));
}

void ServerCall::Answer(const Status& status, Bytes response) {
  held_ = false;
  cancel_listener_ = nullptr;
  if (session() == nullptr) {
    delete this;
    return;
  }
  if (ended_) return;
  if (status.ok()) {
    QueueMessage(std::move(response), compress_);
    SendHeaders(nullptr);
  }
  SendStatus(status, std::move(trailers_));
}

void ServerCall::SendInitialMetadata(Metadata metadata) {
  if (ended_ || headers_submitted_ || session() == nullptr) return;
  SendHeaders(&metadata);
}

void ServerCall::Send(Bytes message, bool plain) {
  if (ended_ || session() == nullptr) return;
  QueueMessage(std::move(message), compress_ && !plain);
  if (!headers_submitted_) SendHeaders(nullptr);
}

void ServerCall::Finish(const Status& status, Metadata trailers) {
  if (ended_ || session() == nullptr) return;
  SendStatus(status, std::move(trailers));
}

void ServerCall::SetCompression(bool on) {
  if (!headers_submitted_) compress_ = on && caller_accepts_gzip_;
}

void ServerCall::SendHeaders(const Metadata* metadata) {
  static const nghttp2_nv kPlain[] = {StaticHeader(":status", "200"),
                                      StaticHeader("content-type", kContentType),
                                      StaticHeader("grpc-encoding", "gzip")};
  headers_submitted_ = true;
  if (metadata == nullptr) {
    return session()->SubmitResponse(this, kPlain, compress_ ? 3 : 2, true);
  }
  HeaderList headers;
  headers.AddStatic(":status", "200");
  headers.AddStatic("content-type", kContentType);
  if (compress_) headers.AddStatic("grpc-encoding", "gzip");
  headers.AddMetadata(*metadata);
  session()->SubmitResponse(this, headers.data(), headers.size(), true);
}

void ServerCall::SendStatus(const Status& status, Metadata trailers) {
  ended_ = true;
  deadline_timer_.Cancel();
  if (headers_submitted_) {
    status_ = status;
    trailers_ = std::move(trailers);
    return EndSending();
  }
  headers_submitted_ = true;
  HeaderList headers;
  headers.AddStatic(":status", "200");
  headers.AddStatic("content-type", kContentType);
  if (unknown_encoding_) headers.AddStatic("grpc-accept-encoding", kAcceptedEncodings);
  headers.AddStatus(status);
  headers.AddMetadata(trailers);
  session()->SubmitResponse(this, headers.data(), headers.size(), false);
}

bool ServerCall::OnLastDataFramed() {
  static const nghttp2_nv kOkTrailer = StaticHeader("grpc-status", "0");
  if (status_.ok() && trailers_.empty()) {
    session()->SubmitTrailers(this, &kOkTrailer, 1);
    return false;
  }
  HeaderList headers;
  headers.AddStatus(status_);
  headers.AddMetadata(trailers_);
  session()->SubmitTrailers(this, headers.data(), headers.size());
  return false;
}

void ServerCall::OnHeadersSent(bool end_stream) {
  // The answer is complete; a caller that is still sending may stop.
  if (end_stream && !peer_done()) session()->Reset(this, NGHTTP2_NO_ERROR);
}

void ServerCall::OnGone(uint32_t, const Status*) {
  deadline_timer_.Cancel();
  connection_->counters().calls_open.Add(-1);
  const bool cancelled = !ended_ || aborted_;
  if (!ended_) connection_->counters().calls_cancelled.Add(1);
  ended_ = true;
  if (handler_ != nullptr) handler_->OnDone(cancelled);
  handler_ = nullptr;
  if (!held_) {
    delete this;
    return;
  }
  OwnStrings();
  connection_ = nullptr;
  if (cancel_listener_ != nullptr) std::exchange(cancel_listener_, nullptr)->OnCancel();
}

// The connection's strings go with it; the handler may still look at the call.
void ServerCall::OwnStrings() {
  info_.peer = own_peer_ = info_.peer;
  if (info_.authority.data() != own_authority_.data()) {
    info_.authority = own_authority_ = info_.authority;
  }
  info_.method = own_path_ = std::string(info_.method);
}

}  // namespace skysail::net
