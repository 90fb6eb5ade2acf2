#include "net/h2_callbacks.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace skysail::net {
namespace {

H2Session* Owner(void* user_data) { return static_cast<H2Session*>(user_data); }

std::string_view View(nghttp2_rcbuf* buffer) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

[[noreturn]] void OutOfMemory() {
  std::fputs("nghttp2: out of memory\n", stderr);
  std::abort();
}

}  // namespace

// Friends of H2Session and RpcStream.
struct SessionCallbacks {
  // What nghttp2 would pass over in silence although RFC 9113 calls it an error of the connection.
  static int BeginFrame(nghttp2_session* session, const nghttp2_frame_hd* frame,
                        void* user_data) {
    H2Session* owner = Owner(user_data);
    bool broken = false;
    if (frame->type == NGHTTP2_PRIORITY) {
      broken = frame->stream_id == 0;
    } else if (frame->type == NGHTTP2_HEADERS && owner->options_.server) {
      if (frame->stream_id > owner->last_opened_) {
        owner->last_opened_ = frame->stream_id;
      } else {
        // A stream that was used or skipped before: its caller would wait for an answer. While
        // draining, streams beyond the last one named are passed over as they should be.
        broken = frame->stream_id % 2 == 1 && !owner->draining_ &&
                 nghttp2_session_get_stream_remote_close(session, frame->stream_id) < 0 &&
                 !owner->reset_.MayHold(frame->stream_id);
      }
    }
    if (broken) nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
    return 0;
  }

  static int BeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    H2Session* owner = Owner(user_data);
    const bool glutted = owner->unsent_ > owner->options_.max_unsent_bytes;
    RpcStream* stream = glutted ? nullptr : owner->NewStream(frame->hd.stream_id);
    if (glutted) owner->OnOverrun(Overrun::kUnsent);
    if (stream == nullptr) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    owner->Attach(stream, frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
  }

  static int Header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, uint8_t, void* user_data) {
    RpcStream* stream = Owner(user_data)->Find(frame->hd.stream_id);
    if (stream != nullptr) stream->OnHeader(View(name), View(value));
    return 0;
  }

  static int FrameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Session* owner = Owner(user_data);
    const bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (RpcStream* stream = owner->Find(frame->hd.stream_id)) {
          stream->OnHeadersReceived(end_stream);
          if (end_stream) stream->PeerDone();
        }
        break;
      case NGHTTP2_DATA:
        if (end_stream) {
          if (RpcStream* stream = owner->Find(frame->hd.stream_id)) stream->PeerDone();
        }
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 && !owner->ready_) owner->Established();
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) owner->OnPingAck(frame->ping.opaque_data);
        break;
      case NGHTTP2_GOAWAY:
        owner->OnGoaway();
        break;
      default:
        break;
    }
    return 0;
  }

  static int DataChunk(nghttp2_session*, uint8_t, int32_t stream_id, const uint8_t* data,
                       size_t size, void* user_data) {
    H2Session* owner = Owner(user_data);
    owner->received_ += size;
    RpcStream* stream = owner->Find(stream_id);
    if (stream != nullptr) stream->Receive({reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int FrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    H2Session* owner = Owner(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
      owner->protocol_error_ = true;  // nghttp2 found it and says goodbye
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM) owner->reset_.Add(frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_RST_STREAM &&
        frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
      owner->Offend(owner->budget_.OnResetSent(owner->loop_.TurnTime()));
    }
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    owner->budget_.OnFrameSent();
    RpcStream* stream = owner->Find(frame->hd.stream_id);
    if (stream != nullptr) {
      stream->OnHeadersSent((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    }
    return 0;
  }

  // Headers that cannot be sent (over the peer's or nghttp2's limit) would leave the peer waiting.
  static int FrameNotSent(nghttp2_session* session, const nghttp2_frame* frame, int error,
                          void*) {
    const bool stream_over =
        error == NGHTTP2_ERR_STREAM_CLOSED || error == NGHTTP2_ERR_STREAM_CLOSING;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat != NGHTTP2_HCAT_REQUEST &&
        !stream_over) {
      nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                NGHTTP2_INTERNAL_ERROR);
    }
    return 0;
  }

  static int StreamClosed(nghttp2_session*, int32_t stream_id, uint32_t error_code,
                          void* user_data) {
    H2Session* owner = Owner(user_data);
    RpcStream* stream = owner->Find(stream_id);
    if (stream == nullptr) return 0;
    owner->Detach(stream);
    if (error_code == NGHTTP2_NO_ERROR) owner->budget_.OnAnswered();
    stream->OnGone(error_code, nullptr);
    owner->OnStreamGone();
    return 0;
  }

  // Says how much of the stream's queue goes into the next DATA frame; SendData moves it.
  static ssize_t ReadData(nghttp2_session*, int32_t, uint8_t*, size_t limit, uint32_t* flags,
                          nghttp2_data_source* source, void*) {
    auto* stream = static_cast<RpcStream*>(source->ptr);
    const size_t queued = stream->outbound_.size();
    const size_t n = queued < limit ? queued : limit;
    if (n == queued) {
      if (stream->sending_ended_) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!stream->OnLastDataFramed()) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      } else if (n == 0) {
        stream->data_deferred_ = true;
        return NGHTTP2_ERR_DEFERRED;
      }
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return static_cast<ssize_t>(n);
  }

  static int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* frame_header, size_t size,
                      nghttp2_data_source* source, void* user_data) {
    H2Session* owner = Owner(user_data);
    auto* stream = static_cast<RpcStream*>(source->ptr);
    owner->output_.Copy(frame_header, kFrameHeadBytes);
    stream->outbound_.MoveTo(&owner->output_, size);
    owner->RemoveUnsent(size);
    // A peer that opens its window by the byte has not earned anything.
    if (size >= Progress::kWorthwhileBytes || stream->outbound_.size() == 0) {
      owner->budget_.OnFrameSent();
      stream->sent_progress_.Complete();
    } else {
      stream->sent_progress_.Add(size);
    }
    if (stream->outbound_.size() == 0 && !stream->sending_ended_ && !stream->drain_reported_) {
      owner->drained_.push_back(stream->id_);
    }
    return 0;
  }
};

namespace {

const nghttp2_session_callbacks* Callbacks() {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    if (nghttp2_session_callbacks_new(&made) != 0) OutOfMemory();
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, SessionCallbacks::BeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, SessionCallbacks::BeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback2(made, SessionCallbacks::Header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, SessionCallbacks::FrameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, SessionCallbacks::DataChunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, SessionCallbacks::FrameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, SessionCallbacks::FrameNotSent);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, SessionCallbacks::StreamClosed);
    nghttp2_session_callbacks_set_send_data_callback(made, SessionCallbacks::SendData);
    return made;
  }();
  return callbacks;
}

struct OptionDeleter {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};

}  // namespace

nghttp2_session* NewNghttp2Session(const SessionOptions& options, H2Session* owner) {
  nghttp2_option* raw_option = nullptr;
  if (nghttp2_option_new(&raw_option) != 0) OutOfMemory();
  const std::unique_ptr<nghttp2_option, OptionDeleter> option(raw_option);
  nghttp2_option_set_no_auto_window_update(raw_option, 1);
  nghttp2_option_set_no_closed_streams(raw_option, 1);
  // gRPC lets metadata and messages begin and end with spaces, which RFC 9113 calls malformed.
  nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(raw_option, 1);
  // What PeerBudget counts, nghttp2 need not; it would also end with another error than is due.
  constexpr uint64_t kUnlimited = uint64_t{1} << 32;
  nghttp2_option_set_stream_reset_rate_limit(raw_option, kUnlimited, kUnlimited);
  nghttp2_option_set_max_continuations(raw_option, kUnlimited);

  nghttp2_session* session = nullptr;
  const int failed =
      options.server ? nghttp2_session_server_new2(&session, Callbacks(), owner, raw_option)
                     : nghttp2_session_client_new2(&session, Callbacks(), owner, raw_option);
  if (failed != 0) OutOfMemory();

  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.initial_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(options.max_metadata_bytes)},
      options.server ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                              options.max_concurrent_streams}
                     : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      // Without the priority tree, scheduling a stream costs a queue and no more.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, 4);
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                        static_cast<int32_t>(options.connection_window_bytes));
  return session;
}

RpcStream* H2Session::Find(int32_t id) {
  if (current_ != nullptr && current_->id_ == id) return current_;
  auto* stream = static_cast<RpcStream*>(nghttp2_session_get_stream_user_data(session_, id));
  if (stream != nullptr) current_ = stream;
  return stream;
}

void H2Session::Established() {
  ready_ = true;
  clock_.Ready(loop_.TurnTime());
  ArmTimer();
  OnEstablished();
}

void H2Session::SubmitResponse(RpcStream* stream, const nghttp2_nv* headers, size_t count,
                               bool with_body) {
  nghttp2_data_provider body{};
  body.source.ptr = stream;
  body.read_callback = SessionCallbacks::ReadData;
  nghttp2_submit_response(session_, stream->id_, headers, count, with_body ? &body : nullptr);
  RequestFlush();
}

void H2Session::SubmitTrailers(RpcStream* stream, const nghttp2_nv* headers, size_t count) {
  nghttp2_submit_trailer(session_, stream->id_, headers, count);
}

bool H2Session::SubmitRequest(RpcStream* stream, const nghttp2_nv* headers, size_t count) {
  nghttp2_data_provider body{};
  body.source.ptr = stream;
  body.read_callback = SessionCallbacks::ReadData;
  const int32_t id = nghttp2_submit_request(session_, nullptr, headers, count, &body, stream);
  if (id < 0) return false;
  Attach(stream, id);
  RequestFlush();
  return true;
}

void H2Session::Reset(RpcStream* stream, uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream->id_, error_code);
  RequestFlush();
}

void H2Session::ResumeData(RpcStream* stream) {
  stream->data_deferred_ = false;
  nghttp2_session_resume_data(session_, stream->id_);
  RequestFlush();
}

void H2Session::ReturnCredit(int32_t stream_id, size_t bytes) {
  nghttp2_session_consume_stream(session_, stream_id, bytes);
  RequestFlush();
}

}  // namespace skysail::net
