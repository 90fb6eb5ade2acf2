#include <pthread.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "net/event_loop.h"

namespace skysail::net {

struct LoopThreads::Impl {
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<std::thread> threads;
  std::atomic<bool> stopped{false};
};

LoopThreads::LoopThreads(int threads, const Polling& polling) : impl_(std::make_unique<Impl>()) {
  for (int i = 0; i < threads; ++i) {
    impl_->loops.push_back(std::make_unique<EventLoop>(polling));
  }
}

LoopThreads::~LoopThreads() { Stop(); }

void LoopThreads::Start() {
  if (!impl_->threads.empty()) return;
  for (size_t i = 0; i < impl_->loops.size(); ++i) {
    EventLoop* loop = impl_->loops[i].get();
    impl_->threads.emplace_back([loop] { loop->Run(); });
    const std::string name = "skysail-io-" + std::to_string(i);
    pthread_setname_np(impl_->threads.back().native_handle(), name.substr(0, 15).c_str());
  }
  // Returns once every loop turns, so that whoever asks running() afterwards gets a true answer.
  for (auto& loop : impl_->loops) {
    std::promise<void> turns;
    loop->Post([&turns] { turns.set_value(); });
    turns.get_future().wait();
  }
}

void LoopThreads::Stop() {
  // Before the loops are told, so that who posts a task and finds this false has posted it in time.
  impl_->stopped.store(true);
  if (impl_->threads.empty()) return;
  for (auto& loop : impl_->loops) loop->Stop();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
}

bool LoopThreads::stopped() const { return impl_->stopped.load(); }

int LoopThreads::size() const { return static_cast<int>(impl_->loops.size()); }

EventLoop& LoopThreads::loop(int i) { return *impl_->loops[static_cast<size_t>(i)]; }

}  // namespace skysail::net
