#include "bindings/stream_bridge.h"

#include <chrono>
#include <utility>

namespace skysail::bindings {
namespace {

// The inbox is full beyond either; the caller is then held up by flow control.
constexpr size_t kInboxMessages = 64;
constexpr size_t kInboxBytes = size_t{1} << 20;
// WaitWritable waits while more is unsent.
constexpr size_t kMostUnsentBytes = size_t{1} << 20;

}  // namespace

class StreamBridge::Handler final : public net::StreamHandler {
 public:
  explicit Handler(std::shared_ptr<StreamBridge> bridge) : bridge_(std::move(bridge)) {}

  void OnMessage(Slice message) override {
    StreamBridge& b = *bridge_;
    bool pause = false;
    {
      std::lock_guard<std::mutex> lock(b.mu_);
      b.inbox_bytes_ += message.size();
      b.inbox_.push_back(std::move(message));
      if (!b.paused_ && (b.inbox_.size() >= kInboxMessages || b.inbox_bytes_ >= kInboxBytes)) {
        b.paused_ = pause = true;
      }
    }
    if (pause) b.stream_->PauseReading();
    b.changed_.notify_all();  // one thread may wait for a message and another for room to send
  }
  void OnHalfClose() override {
    {
      std::lock_guard<std::mutex> lock(bridge_->mu_);
      bridge_->half_closed_ = true;
    }
    bridge_->changed_.notify_all();
  }
  void OnWritable() override {
    {
      std::lock_guard<std::mutex> lock(bridge_->mu_);
      bridge_->unsent_bytes_ = 0;
    }
    bridge_->changed_.notify_all();
  }
  void OnDone(bool cancelled) override {
    StreamBridge& b = *bridge_;
    b.stream_ = nullptr;
    std::vector<std::function<void()>> callbacks;
    {
      std::lock_guard<std::mutex> lock(b.mu_);
      b.done_ = true;
      b.cancelled_ = cancelled;
      b.inbox_.clear();
      callbacks.swap(b.on_done_);
    }
    b.changed_.notify_all();
    for (auto& callback : callbacks) callback();
  }

 private:
  const std::shared_ptr<StreamBridge> bridge_;
};

StreamBridge::StreamBridge(net::ServerStream& stream)
    : loop_(stream.loop()),
      method_(stream.info().method),
      peer_(stream.info().peer),
      metadata_(*stream.info().metadata),
      deadline_(stream.info().deadline),
      stream_(&stream) {}

std::unique_ptr<net::StreamHandler> StreamBridge::NewHandler() {
  return std::make_unique<Handler>(shared_from_this());
}

bool StreamBridge::cancelled() const {
  std::lock_guard<std::mutex> lock(mu_);
  return cancelled_;
}

bool StreamBridge::done() const {
  std::lock_guard<std::mutex> lock(mu_);
  return done_;
}

StreamBridge::Received StreamBridge::Receive(TimeNs wait, Slice* message) {
  std::unique_lock<std::mutex> lock(mu_);
  changed_.wait_for(lock, std::chrono::nanoseconds(wait),
                    [this] { return !inbox_.empty() || half_closed_ || done_; });
  if (inbox_.empty()) return half_closed_ || done_ ? Received::kEnd : Received::kNothingYet;
  *message = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= message->size();
  if (paused_ && inbox_.empty()) {
    paused_ = false;
    PostToStream([](net::ServerStream& stream) { stream.ResumeReading(); });
  }
  return Received::kMessage;
}

bool StreamBridge::WaitWritable(TimeNs wait) {
  std::unique_lock<std::mutex> lock(mu_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(wait), [this] {
    return done_ || posted_bytes_ + unsent_bytes_ < kMostUnsentBytes;
  });
}

Status StreamBridge::CheckOpen() const {
  if (finished_) return {ErrorKind::kFailedPrecondition, "the call was finished already"};
  if (done_) return Cancelled("the caller has left, or the call's deadline has passed");
  return Status::Ok();
}

void StreamBridge::PostToStream(std::function<void(net::ServerStream&)> act) {
  loop_.Post([self = shared_from_this(), act = std::move(act)] {
    if (self->stream_ != nullptr) act(*self->stream_);
  });
}

Status StreamBridge::SetCompression(bool on) {
  std::lock_guard<std::mutex> lock(mu_);
  Status open = CheckOpen();
  if (!open.ok()) return open;
  if (headers_sent_) {
    return {ErrorKind::kFailedPrecondition,
            "compression is set before initial metadata and messages"};
  }
  PostToStream([on](net::ServerStream& stream) { stream.SetCompression(on); });
  return Status::Ok();
}

Status StreamBridge::SendInitialMetadata(net::Metadata metadata) {
  std::lock_guard<std::mutex> lock(mu_);
  Status open = CheckOpen();
  if (!open.ok()) return open;
  if (std::exchange(headers_sent_, true)) {
    return {ErrorKind::kFailedPrecondition, "the initial metadata was sent already"};
  }
  PostToStream([metadata = std::move(metadata)](net::ServerStream& stream) {
    stream.SendInitialMetadata(metadata);
  });
  return Status::Ok();
}

Status StreamBridge::Send(Slice message, bool plain) {
  std::lock_guard<std::mutex> lock(mu_);
  Status open = CheckOpen();
  if (!open.ok()) return open;
  headers_sent_ = true;
  posted_bytes_ += message.size();
  PostToStream([this, plain, message = std::move(message)](net::ServerStream& stream) {
    stream.Send(Bytes(message), plain);
    {
      std::lock_guard<std::mutex> lock(mu_);
      posted_bytes_ -= message.size();
      unsent_bytes_ = stream.unsent_bytes();
    }
    changed_.notify_all();
  });
  return Status::Ok();
}

Status StreamBridge::Finish(Status status, net::Metadata trailers) {
  std::lock_guard<std::mutex> lock(mu_);
  Status open = CheckOpen();
  if (!open.ok()) return open;
  finished_ = true;
  PostToStream([status = std::move(status), trailers = std::move(trailers)](
                   net::ServerStream& stream) { stream.Finish(status, trailers); });
  return Status::Ok();
}

void StreamBridge::OnDone(std::function<void()> callback) {
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (!done_) {
      on_done_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

}  // namespace skysail::bindings
