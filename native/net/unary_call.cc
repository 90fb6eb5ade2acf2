#include <memory>
#include <utility>

#include "net/server_call.h"

namespace skysail::net {
namespace {

// An answer on its way from another thread to the call's loop. A loop that ends without running
// its last tasks drops it; the call is given back all the same.
class PostedAnswer {
 public:
  PostedAnswer(UnaryCall::State* state, Status status, Bytes response)
      : state_(state), status_(std::move(status)), response_(std::move(response)) {}
  PostedAnswer(const PostedAnswer&) = delete;
  PostedAnswer& operator=(const PostedAnswer&) = delete;
  ~PostedAnswer() { Deliver(); }

  void Deliver() {
    if (state_ == nullptr) return;
    std::exchange(state_, nullptr)->Answer(status_, std::move(response_));
  }

 private:
  UnaryCall::State* state_;
  const Status status_;
  Bytes response_;
};

void GiveBack(UnaryCall::State* state, const Status& status, Bytes response) {
  EventLoop& loop = state->loop();
  if (loop.InLoopThread()) return state->Answer(status, std::move(response));
  auto posted = std::make_shared<PostedAnswer>(state, status, std::move(response));
  loop.Post([posted = std::move(posted)] { posted->Deliver(); });
}

}  // namespace

UnaryCall& UnaryCall::operator=(UnaryCall&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

UnaryCall::~UnaryCall() {
  if (state_ != nullptr) Fail(Internal("the call was dropped without an answer"));
}

const CallInfo& UnaryCall::info() const { return state_->info(); }
const Slice& UnaryCall::request() const { return state_->request(); }
EventLoop& UnaryCall::loop() const { return state_->loop(); }
void UnaryCall::SetCancelListener(CancelListener* listener) {
  state_->SetCancelListener(listener);
}
void UnaryCall::AddTrailer(std::string key, std::string value) {
  state_->AddTrailer(std::move(key), std::move(value));
}

void UnaryCall::SetCompression(bool on) { state_->SetCompression(on); }

void UnaryCall::Respond(Bytes response) {
  if (state_ == nullptr) return;
  GiveBack(std::exchange(state_, nullptr), Status::Ok(), std::move(response));
}

void UnaryCall::Fail(const Status& status) {
  if (state_ == nullptr) return;
  GiveBack(std::exchange(state_, nullptr), status, Bytes());
}

}  // namespace skysail::net
