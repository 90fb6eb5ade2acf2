#include "services/remote_service.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "net/client_channel.h"
#include "oip/transform.h"
#include "selection/weighted.h"
#include "services/answer.h"
#include "services/hop_channel.h"
#include "services/peer_options.h"
#include "services/prediction_id.h"
#include "services/reserved.h"
#include "services/retry_budget.h"
#include "services/trace_metadata.h"
#include "telemetry/histogram.h"
#include "telemetry/open_span.h"

namespace skysail::services {
namespace {

using State = net::ClientChannel::State;

// Larger messages have a stream of their own, so that small ones do not wait behind them.
constexpr size_t kMostPackedBytes = 64 << 10;

// One endpoint as one loop sees it. It is connected to at all times: only one that has answered is asked
// while there is another, for a process that is stopped lets itself be connected to, and says nothing.
struct Peer {
  Peer(net::EventLoop& loop, const Endpoint& endpoint, const net::Address& address)
      : endpoint(endpoint), name(telemetry::Names::Get().Intern(endpoint.address)),
        channel(loop, address, PeerOptions(endpoint, address)), hop(channel) {
    channel.Connect();
  }
  bool ready() const { return channel.state() == State::kReady; }
  bool away() const {
    const State state = channel.state();
    return state == State::kBackoff || state == State::kClosed;
  }
  const Endpoint endpoint;
  const telemetry::NameId name;
  net::ClientChannel channel;
  HopChannel hop;  // for peers that offer it
};

// How much may be hoped of a peer, the best first.
bool IsReady(const Peer& peer) { return peer.ready(); }
bool IsComing(const Peer& peer) { return !peer.away(); }
bool IsThere(const Peer&) { return true; }

TimeNs ReadRetryAfter(const net::Metadata& trailers) {
  const std::string_view text = trailers.Get(kRetryTrailer);
  int64_t ms = 0;
  std::from_chars(text.data(), text.data() + text.size(), ms);
  return std::clamp<int64_t>(ms, 0, 3600 * 1000) * kMillisecond;
}

// The message with what has been decided since it came; nothing of it is copied.
Bytes Forward(const InferRequest& request) {
  thread_local std::string parameters;  // keeps its capacity from call to call
  parameters.clear();
  oip::FieldWriter writer(&parameters);
  const std::string_view name = request.model.empty() ? request.view.model_name : request.model;
  if (request.application != name) {
    writer.Parameter(kApplicationParameter, request.application);
  }
  char hex[kPredictionHexDigits];
  PredictionToHex(request.prediction, hex);
  writer.Parameter(kPredictionParameter, std::string_view(hex, sizeof(hex)));
  return oip::AppendHead(request.message, name, request.version, parameters);
}

}  // namespace

struct RemoteService::Peers {
  int64_t revision = 0;
  std::vector<std::pair<Endpoint, net::Address>> endpoints;
};

struct RemoteService::Counts {
  telemetry::Counter calls, retries, failures;
  telemetry::Histogram hop_ns;  // the round trip, less what the next service took
};

// What one loop knows of the peers. Loop thread only.
struct RemoteService::LoopState {
  LoopState(net::EventLoop& loop, std::shared_ptr<Counts> counts)
      : loop(loop), counts(std::move(counts)) {}

  void Apply(const std::shared_ptr<const Peers>& wanted) {
    if (wanted == applied) return;
    applied = wanted;
    std::vector<std::shared_ptr<Peer>> next;
    for (const auto& [endpoint, address] : wanted->endpoints) {
      const auto known = std::find_if(peers.begin(), peers.end(), [&e = endpoint](const auto& p) {
        return p != nullptr && p->endpoint.id == e.id && p->endpoint.address == e.address &&
               p->endpoint.packed == e.packed;
      });
      next.push_back(known != peers.end() ? std::move(*known)
                                          : std::make_shared<Peer>(loop, endpoint, address));
    }
    // Calls in flight hold the peers that are left out; the others close now.
    peers = std::move(next);
  }

  // Null when no endpoint but `tried` can be reached.
  std::shared_ptr<Peer> Pick(const InferRequest& request, const Peer* tried) {
    if (peers.size() == 1 && tried == nullptr) return peers[0];
    ids.clear();
    candidates.clear();
    for (const auto is_hopeful : {&IsReady, &IsComing, &IsThere}) {
      for (const auto& peer : peers) {
        if (peer.get() == tried || !is_hopeful(*peer)) continue;
        ids.push_back(peer->endpoint.id);
        candidates.push_back(&peer);
      }
      if (!ids.empty()) break;
    }
    key.assign(request.model.empty() ? request.view.model_name : request.model);
    key.push_back('\n');
    key.append(request.version);
    const size_t at = selection::RendezvousPick(key, ids);
    return at == selection::kNoArm ? nullptr : *candidates[at];
  }

  net::EventLoop& loop;
  const std::shared_ptr<Counts> counts;
  std::shared_ptr<const Peers> applied;
  std::vector<std::shared_ptr<Peer>> peers;
  RetryBudget budget;
  std::string key;  // scratch, as the two below
  std::vector<std::string_view> ids;
  std::vector<const std::shared_ptr<Peer>*> candidates;
};

// One call on its way, packed or in a stream of its own. Destroys itself when it has ended.
class RemoteService::Call final : public net::ClientStreamHandler,
                                  public HopAnswerHandler,
                                  public CancelHandler {
 public:
  Call(std::shared_ptr<LoopState> state, InferCall call)
      : state_(std::move(state)), call_(std::move(call)), under_(call_.trace.span),
        deadline_([this] { OnDeadline(); }) {}

  // False when there is nobody (else) to ask.
  bool Start() {
    peer_ = state_->Pick(call_.request(), peer_.get());
    if (peer_ == nullptr) return false;
    sent_ = SystemClock::Get().Now();
    call_.trace.span = under_;
    span_ = telemetry::OpenSpan::Begin(&call_.trace, sent_);
    if (!SendPacked()) SendUnary();
    call_.scope()->SetHandler(this);
    return true;
  }

  void OnMessage(Slice message) override { answer_ = std::move(message); }

  void OnDone(net::CallResult result) override {
    stream_ = nullptr;
    if (result.status.ok()) {
      InferResponse answer = DecodeAnswer(answer_);
      ParseTiming(result.trailers.Get(kTimingTrailer), &answer.timing);  // absent where a stranger answers
      return Ended(std::move(answer));
    }
    InferResponse response = InferResponse::Error(std::move(result.status));
    response.unprocessed =
        result.unprocessed || result.trailers.Get(kUnprocessedTrailer).data() != nullptr;
    response.retry_after = ReadRetryAfter(result.trailers);
    const bool lost =
        response.status.kind() == ErrorKind::kUnavailable && result.trailers.empty();
    Ended(std::move(response), lost);
  }

  void OnHopAnswer(InferResponse response, bool lost) override {
    packed_ = false;
    deadline_.Cancel();
    Ended(std::move(response), lost);
  }

  void OnCancel() override {
    if (stream_ != nullptr) {
      stream_->Cancel();
    } else if (packed_) {
      GiveUpPacked(Cancelled("the caller left"));
    }
  }

  void EndUnreachable() {
    InferResponse response = InferResponse::Error(
        Unavailable("no instance of the next service is known: see whether it is running"));
    response.unprocessed = true;
    End(std::move(response));
  }

 private:
  bool SendPacked() {
    if (!peer_->endpoint.packed || call_.request().message.size() > kMostPackedBytes) return false;
    if (!peer_->hop.Send(call_, sent_, this, &ticket_)) return false;
    packed_ = true;
    deadline_.Set(state_->loop, call_.deadline());
    return true;
  }
  void SendUnary() {
    net::CallOptions options;
    options.deadline = call_.deadline();
    net::Metadata metadata;
    AddTrace(call_.trace, &metadata);
    options.metadata = &metadata;
    stream_ = peer_->channel.StartUnary("/inference.GRPCInferenceService/ModelInfer", options,
                                        Forward(call_.request()), this);
  }
  void OnDeadline() {
    GiveUpPacked(DeadlineExceeded("no answer came before the call's deadline"));
  }
  void GiveUpPacked(Status why) {
    packed_ = false;
    deadline_.Cancel();
    peer_->hop.Cancel(ticket_);
    Ended(InferResponse::Error(std::move(why)));
  }

  // `lost`: the peer went away before it answered. Asking elsewhere is safe: a prediction changes
  // nothing.
  void Ended(InferResponse response, bool lost = false) {
    const bool nobody =
        response.status.kind() == ErrorKind::kUnavailable && response.unprocessed;
    if ((nobody || lost) && !retried_ && !call_.scope()->cancelled() && state_->budget.Spend()) {
      retried_ = true;
      RecordSpan(response, telemetry::SpanRecord::kRetried);
      const std::shared_ptr<Peer> before = peer_;
      HoldUntilNextTurn(before);
      if (Start()) {
        state_->counts->retries.Add();
        return;
      }
      peer_ = before;
    }
    End(std::move(response));
  }
  void RecordSpan(const InferResponse& response, uint8_t flags) {
    if (!span_.Wanted(response.status.kind())) return;
    telemetry::SpanRecord record = span_.Ended(
        telemetry::Stage::kHop, response.status.kind(), SystemClock::Get().Now());
    record.flags |= flags;
    record.replica = peer_->name;
    record.deadline_left_us = telemetry::DeadlineLeftUs(call_.deadline(), sent_);
    telemetry::SpanRing::OfThisThread()->Record(record);
    span_ = {};
  }
  // A channel must not be destroyed while it tells of a call's end.
  void HoldUntilNextTurn(std::shared_ptr<Peer> peer) {
    if (peer.use_count() <= 3) state_->loop.Post([peer = std::move(peer)] {});
  }
  void End(InferResponse response) {
    const std::unique_ptr<Call> self(this);
    if (response.timing.served_us > 0) {
      const uint32_t round_trip_us = Timing::Us(state_->loop.TurnTime() - sent_);
      const uint32_t hop_us = round_trip_us - std::min(round_trip_us, response.timing.served_us);
      response.timing.hop_us += hop_us;
      state_->counts->hop_ns.Record(uint64_t{hop_us} * kMicrosecond);
    }
    RecordSpan(response, 0);
    if (!response.status.ok()) state_->counts->failures.Add();
    if (peer_ != nullptr && peer_.use_count() == 1) HoldUntilNextTurn(std::move(peer_));
    call_.Finish(std::move(response));
  }

  const std::shared_ptr<LoopState> state_;
  InferCall call_;
  std::shared_ptr<Peer> peer_;
  net::ClientStream* stream_ = nullptr;  // while sent in a stream of its own
  bool packed_ = false;                  // while sent packed
  HopChannel::Ticket ticket_;
  TimeNs sent_ = 0;
  const telemetry::SpanId under_;  // which the hop stands
  telemetry::OpenSpan span_;
  net::Timer deadline_;  // of a packed call; a stream has its own
  Slice answer_;
  bool retried_ = false;
};

RemoteService::RemoteService(net::LoopThreads& loops)
    : counts_(std::make_shared<Counts>()), peers_(loops, std::make_shared<Peers>()) {
  for (int i = 0; i < loops.size(); ++i) {
    // Channels are closed on their own loop while that runs.
    states_.emplace_back(new LoopState(loops.loop(i), counts_), [](LoopState* state) {
      std::shared_ptr<LoopState> last(state);
      if (!last->loop.running()) return;
      last->loop.Post([last]() mutable { last.reset(); });
    });
  }
}

RemoteService::~RemoteService() = default;

Status RemoteService::Publish(const std::vector<Endpoint>& endpoints, int64_t revision) {
  auto peers = std::make_shared<Peers>();
  peers->revision = revision;
  for (const Endpoint& endpoint : endpoints) {
    Result<net::Address> address = net::Address::Parse(endpoint.address);
    if (!address.ok()) {
      return InvalidArgument("endpoint '" + endpoint.id + "': " + address.status().message());
    }
    for (const auto& [other, unused] : peers->endpoints) {
      if (other.id == endpoint.id) {
        return InvalidArgument("endpoint '" + endpoint.id + "' is given twice");
      }
    }
    peers->endpoints.emplace_back(endpoint, std::move(address.value()));
  }
  peers_.Publish(peers);
  for (const auto& state : states_) {
    state->loop.Post([state, peers] { state->Apply(peers); });
  }
  return Status::Ok();
}

void RemoteService::Infer(InferCall call) {
  const std::shared_ptr<const Peers>& peers = peers_.Get(call.loop());
  const auto state = std::find_if(states_.begin(), states_.end(), [&call](const auto& each) {
    return &each->loop == &call.loop();
  });
  (*state)->Apply(peers);
  (*state)->budget.OnCall();
  counts_->calls.Add();
  auto remote = std::make_unique<Call>(*state, std::move(call));
  if (remote->Start()) {
    remote.release();  // its own from here on
  } else {
    remote.release()->EndUnreachable();
  }
}

Report RemoteService::Stats() const {
  const std::shared_ptr<const Peers> peers = peers_.Latest();
  Report report;
  report.Add("revision", static_cast<uint64_t>(peers->revision))
      .Add("endpoints", static_cast<uint64_t>(peers->endpoints.size()))
      .Add("calls", counts_->calls.value())
      .Add("retries", counts_->retries.value())
      .Add("failures", counts_->failures.value())
      .AddSeconds("hop_s", counts_->hop_ns.snapshot());
  return report;
}

}  // namespace skysail::services
