#include "net/client_channel.h"

#include <algorithm>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/backoff.h"
#include "net/client_call.h"
#include "net/client_connection.h"
#include "net/socket.h"
#include "net/socket_stream.h"

namespace skysail::net {
namespace {

// A connection that lasted this long is a success: the next attempt to connect comes at once.
constexpr TimeNs kStable = kSecond;

uint64_t Seed(uint64_t given) { return given != 0 ? given : std::random_device{}(); }

std::string PeerOf(const Address& address) {
  return address.kind == Address::Kind::kUnix ? "unix:" : address.ToString();
}

}  // namespace

struct ClientChannel::Impl final : private ClientConnectionOwner, private ClientCallOwner {
  Impl(EventLoop& event_loop, Address peer, ChannelOptions channel_options)
      : loop(event_loop),
        address(std::move(peer)),
        options(std::move(channel_options)),
        authority(address.kind == Address::Kind::kUnix ? "localhost" : address.ToString()),
        backoff({options.backoff_initial, options.backoff_max, options.backoff_multiplier,
                 options.backoff_jitter},
                Seed(options.random_seed)),
        retry([this] { Connect(); }) {}

  ~Impl() {
    listener = nullptr;
    const Status why = Cancelled("the channel was closed");
    std::vector<ClientConnection*> connections = std::move(draining);
    if (current != nullptr) connections.push_back(current);
    auto left = std::move(loose);
    loose.clear();
    for (auto& [call, owned] : left) call->Disown();
    for (ClientConnection* connection : connections) connection->Orphan(why);
    for (auto& [call, owned] : left) {
      call->End({why, Metadata(), false});
      Bury(std::move(owned));
    }
  }

  void SetState(State next) {
    if (state == next) return;
    state = next;
    if (listener) listener(next);
  }

  void Connect() {
    if (current != nullptr) return;
    retry.Cancel();
    Result<Socket> socket = StartConnect(address);
    if (!socket.ok()) return Failed(socket.status());
    ready_since = kNever;
    current = new ClientConnection(
        loop, this, options, authority,
        std::make_unique<SocketStream>(std::move(*socket), PeerOf(address), true));
    SetState(State::kConnecting);
  }

  void Failed(const Status& why) {
    failure = why.message();
    retry.Set(loop, loop.TurnTime() + backoff.Next());
    SetState(State::kBackoff);
  }

  ClientCall* Start(std::string_view path, const CallOptions& call_options,
                    ClientStreamHandler* handler) {
    auto* call = new ClientCall(loop, this, handler, call_options, options);
    ++open_calls;
    if (call_options.deadline <= loop.TurnTime()) {
      FailLater(call, {DeadlineExceeded("the deadline had passed before the call was sent"),
                       Metadata(), true});
      return call;
    }
    if (current == nullptr && state == State::kIdle) Connect();
    if (current == nullptr || !current->StartCall(call, path, call_options)) {
      FailLater(call, {Unavailable("no connection to " + address.ToString() + ": " + failure),
                       Metadata(), true});
      return call;
    }
    call->ArmDeadline();
    return call;
  }

  void FailLater(ClientCall* call, CallResult result) {
    const std::shared_ptr<ClientCall> owned(call);
    loose.emplace(call, owned);
    loop.Post([owned, result = std::move(result)] { owned->End(result); });
  }

  // Deletes a call when no frame of the stack can still be inside it.
  void Bury(std::shared_ptr<ClientCall> call) {
    loop.Post([call = std::move(call)] {});
  }

  // ClientCallOwner
  void KeepLoose(ClientCall* call) override {
    loose.emplace(call, std::shared_ptr<ClientCall>(call));
  }
  void OnCallEnded(ClientCall* call) override {
    --open_calls;
    const auto found = loose.find(call);
    if (found == loose.end()) return;
    Bury(std::move(found->second));
    loose.erase(found);
  }

  // ClientConnectionOwner
  void OnConnectionReady(ClientConnection* connection) override {
    if (connection != current) return;
    ready_since = loop.TurnTime();
    SetState(State::kReady);
  }
  void OnConnectionGoaway(ClientConnection* connection) override {
    if (connection != current) return;
    // Its calls go on; new ones get a new connection, made when the first of them comes.
    draining.push_back(std::exchange(current, nullptr));
    if (ready_since == kNever) return Failed(Unavailable("the peer does not speak HTTP/2"));
    if (options.stay_connected) {
      const bool stable = loop.TurnTime() - ready_since >= kStable;
      retry.Set(loop, loop.TurnTime() + (stable ? 0 : backoff.Next()));
    }
    SetState(State::kIdle);
  }
  void OnConnectionClosed(ClientConnection* connection, const Status& why) override {
    if (connection != current) {
      draining.erase(std::remove(draining.begin(), draining.end(), connection), draining.end());
      return;
    }
    current = nullptr;
    failure = why.message();
    if (ready_since != kNever && loop.TurnTime() - ready_since >= kStable) {
      backoff.Reset();
      retry.Set(loop, loop.TurnTime());
      return SetState(State::kIdle);
    }
    Failed(why);
  }

  EventLoop& loop;
  const Address address;
  const ChannelOptions options;
  const std::string authority;
  Backoff backoff;
  Timer retry;
  State state = State::kIdle;
  ClientConnection* current = nullptr;       // where new calls go
  std::vector<ClientConnection*> draining;   // after GOAWAY
  std::unordered_map<ClientCall*, std::shared_ptr<ClientCall>> loose;
  size_t open_calls = 0;
  TimeNs ready_since = kNever;
  std::string failure = "not tried";
  std::function<void(State)> listener;
};

ClientChannel::ClientChannel(EventLoop& loop, Address address, ChannelOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(address), std::move(options))) {}

ClientChannel::~ClientChannel() = default;

ClientStream* ClientChannel::Start(std::string_view path, const CallOptions& options,
                                   ClientStreamHandler* handler) {
  return impl_->Start(path, options, handler);
}

ClientStream* ClientChannel::StartUnary(std::string_view path, const CallOptions& options,
                                        Bytes request, ClientStreamHandler* handler) {
  ClientCall* call = impl_->Start(path, options, handler);
  call->Send(std::move(request));
  call->HalfClose();
  return call;
}

void ClientChannel::Connect() { impl_->Connect(); }
ClientChannel::State ClientChannel::state() const { return impl_->state; }
size_t ClientChannel::open_calls() const { return impl_->open_calls; }
void ClientChannel::SetStateListener(std::function<void(State)> listener) {
  impl_->listener = std::move(listener);
}
const Address& ClientChannel::address() const { return impl_->address; }

}  // namespace skysail::net
