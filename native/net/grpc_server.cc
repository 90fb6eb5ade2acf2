#include "net/grpc_server.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "net/listener.h"
#include "net/server_loop.h"
#include "net/socket.h"

namespace skysail::net {
namespace {

// After the drain timeout connections are cut; their ends take no longer than this.
constexpr TimeNs kCloseGrace = 5 * kSecond;

// Counts down to zero from other threads.
class Latch {
 public:
  explicit Latch(size_t count) : count_(count) {}
  void CountDown() {
    std::lock_guard<std::mutex> lock(mu_);
    if (--count_ == 0) zero_.notify_all();
  }
  bool done() const {
    std::lock_guard<std::mutex> lock(mu_);
    return count_ == 0;
  }
  bool WaitFor(TimeNs timeout) {
    std::unique_lock<std::mutex> lock(mu_);
    return zero_.wait_for(lock, std::chrono::nanoseconds(timeout), [this] { return count_ == 0; });
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable zero_;
  size_t count_;
};

}  // namespace

struct GrpcServer::Impl {
  explicit Impl(ServerOptions options) : shared(std::make_shared<ServerShared>()) {
    shared->options = std::move(options);
  }

  // Hands a connection to the loop whose turn it is, or drops it when there are too many.
  void Place(Socket socket, std::string peer, bool inner) {
    const std::shared_ptr<ServerLoop>& target = loops[next_loop++ % loops.size()];
    if (shared->connections.fetch_add(1) >= shared->options.max_connections) {
      --shared->connections;
      loops[0]->counters().connections_refused.Add(1);
      return;
    }
    if (target->loop().InLoopThread()) {
      return target->Adopt(std::move(socket), std::move(peer), inner);
    }
    auto moved = std::make_shared<Socket>(std::move(socket));
    target->loop().Post([target, moved, peer = std::move(peer), inner]() mutable {
      target->Adopt(std::move(*moved), std::move(peer), inner);
    });
  }

  // Waits for `latch`. Loops that no thread runs are turned here meanwhile.
  bool Await(Latch& latch, TimeNs timeout) {
    const TimeNs end = SystemClock::Get().Now() + timeout;
    for (;;) {
      bool idle = true;
      for (const auto& loop : loops) {
        if (loop->loop().running()) continue;
        idle = false;
        loop->loop().RunOnce(kMillisecond);
      }
      const TimeNs left = end - SystemClock::Get().Now();
      if (idle) return latch.WaitFor(std::max<TimeNs>(left, 0));
      if (latch.done()) return true;
      if (left <= 0) return false;
    }
  }

  const std::shared_ptr<ServerShared> shared;
  std::vector<std::shared_ptr<ServerLoop>> loops;
  std::vector<std::shared_ptr<Listener>> listeners;  // on loop 0
  size_t next_loop = 0;                              // loop 0's thread
  bool started = false;
  bool shut_down = false;
};

GrpcServer::GrpcServer(LoopThreads& loops, ServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
  for (int i = 0; i < loops.size(); ++i) {
    impl_->loops.push_back(std::make_shared<ServerLoop>(loops.loop(i), impl_->shared));
  }
}

GrpcServer::~GrpcServer() { Shutdown(); }

void GrpcServer::AddUnary(std::string path, UnaryHandler* handler) {
  impl_->shared->methods.Add({std::move(path), handler, nullptr});
}

void GrpcServer::AddStream(std::string path, StreamFactory factory) {
  impl_->shared->methods.Add({std::move(path), nullptr, std::move(factory)});
}

void GrpcServer::SetFallback(StreamFactory factory) {
  impl_->shared->methods.SetFallback(std::move(factory));
}

Result<Address> GrpcServer::Listen(const Address& address, bool inner) {
  Result<Socket> socket = ListenOn(address);
  if (!socket.ok()) return socket.status();
  Result<Address> bound = BoundAddress(*socket, address);
  if (!bound.ok()) return bound.status();
  EventLoop& loop = impl_->loops[0]->loop();
  Impl* impl = impl_.get();
  auto listener = std::make_shared<Listener>(
      loop, std::move(*socket), *bound,
      [impl, inner](Socket accepted, std::string peer) {
        impl->Place(std::move(accepted), std::move(peer), inner);
      },
      [impl] { impl->loops[0]->counters().accepts_put_off.Add(1); });
  impl_->listeners.push_back(listener);
  if (impl_->started) loop.Post([listener] { listener->Start(); });
  return bound;
}

void GrpcServer::Start() {
  if (impl_->started) return;
  impl_->started = true;
  for (const auto& listener : impl_->listeners) {
    impl_->loops[0]->loop().Post([listener] { listener->Start(); });
  }
}

void GrpcServer::Shutdown() {
  if (std::exchange(impl_->shut_down, true)) return;
  // Listeners close first, in loop 0's thread, so that no connection is placed on a loop that has
  // been told to drain.
  auto closed = std::make_shared<Latch>(1);
  impl_->loops[0]->loop().Post([listeners = impl_->listeners, closed] {
    for (const auto& listener : listeners) listener->Close();
    closed->CountDown();
  });
  impl_->Await(*closed, kCloseGrace);

  auto drained = std::make_shared<Latch>(impl_->loops.size());
  for (const auto& loop : impl_->loops) {
    loop->loop().Post([loop, drained] { loop->Drain([drained] { drained->CountDown(); }); });
  }
  if (impl_->Await(*drained, impl_->shared->options.drain_timeout)) return;
  for (const auto& loop : impl_->loops) {
    loop->loop().Post([loop] { loop->CloseAll(); });
  }
  impl_->Await(*drained, kCloseGrace);
}

GrpcServer::Stats GrpcServer::stats() const {
  Stats total{};
  for (const auto& loop : impl_->loops) {
    const ServerCounters& counters = loop->counters();
    total.connections_accepted += counters.connections_accepted.value();
    total.connections_open += counters.connections_open.value();
    total.connections_refused += counters.connections_refused.value();
    total.accepts_put_off += counters.accepts_put_off.value();
    total.connections_retired += counters.connections_retired.value();
    total.calls_started += counters.calls_started.value();
    total.calls_open += counters.calls_open.value();
    total.calls_cancelled += counters.calls_cancelled.value();
    total.protocol_errors += counters.protocol_errors.value();
    total.bytes_read += counters.bytes_read.value();
    total.bytes_written += counters.bytes_written.value();
    for (size_t i = 0; i < kOffences; ++i) total.offences[i] += counters.offences[i].value();
    for (size_t i = 0; i < kOverruns; ++i) total.overruns[i] += counters.overruns[i].value();
  }
  return total;
}

}  // namespace skysail::net
