#include "loadgen/driver.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "loadgen/answer.h"

namespace skysail::loadgen {
namespace {

constexpr int64_t kSecond = 1000000000;
constexpr int kEvents = 256;

int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

double UnixSeconds() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

int64_t Ns(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

Driver::Driver(const Options& options, Bodies* bodies)
    : options_(options),
      bodies_(*bodies),
      open_loop_(options.rate > 0),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      random_(options.seed),
      gap_s_(open_loop_ ? options.rate : 1) {
  report_.open_loop = open_loop_;
  prctl(PR_SET_TIMERSLACK, 1);  // arrivals are microseconds apart
  for (uint32_t i = 0; i < options.connections; ++i) {
    connections_.push_back(Connect(options, bodies, this));
    awaits_writable_.push_back(false);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = i;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back()->fd(), &event);
  }
}

Driver::~Driver() { close(epoll_); }

Report Driver::Run() {
  const double cpu_before = CpuSeconds();
  now_ = NowNs();
  measure_from_ = now_ + Ns(options_.warmup_s);
  stop_at_ = measure_from_ + Ns(options_.duration_s);
  const int64_t give_up = stop_at_ + Ns(options_.drain_s);
  next_arrival_ = now_ + Ns(gap_s_(random_));
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (!open_loop_) Refill(connections_[i].get());
    Flush(i);
  }
  int64_t stopped_at = 0;
  while (now_ < give_up) {
    if (Finished()) {
      if (stopped_at == 0) stopped_at = now_;
      stop_at_ = std::min(stop_at_, now_);
      if (Outstanding() == 0) break;
      Wait(give_up);
    } else {
      if (open_loop_) SendArrivals();
      Wait(open_loop_ ? std::min(next_arrival_, stop_at_) : stop_at_);
    }
  }
  for (const auto& connection : connections_) connection->Fail("unanswered");
  report_.seconds = static_cast<double>(std::max<int64_t>(stop_at_ - measure_from_, 0)) / 1e9;
  report_.cpu_s = CpuSeconds() - cpu_before;
  return report_;
}

bool Driver::Finished() const {
  if (now_ >= stop_at_ || (options_.count > 0 && report_.ok >= options_.count)) return true;
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& connection) { return connection->failed(); });
}

uint32_t Driver::Outstanding() const {
  uint32_t sum = 0;
  for (const auto& connection : connections_) sum += connection->outstanding();
  return sum;
}

void Driver::Refill(Connection* connection) {
  while (connection->CanStart()) connection->Start({bodies_.Next(), now_});
}

void Driver::SendArrivals() {
  uint32_t outstanding = Outstanding();
  while (next_arrival_ <= now_ && next_arrival_ < stop_at_) {
    const Call call{bodies_.Next(), next_arrival_};
    next_arrival_ += std::max<int64_t>(Ns(gap_s_(random_)), 1);
    Connection* connection = outstanding < options_.max_outstanding ? NextFree() : nullptr;
    if (connection == nullptr) {
      OnFailure(call, "unsent");
    } else {
      connection->Start(call);
      ++outstanding;
    }
  }
  for (size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]->wants_write() && !awaits_writable_[i]) Flush(i);
  }
}

Connection* Driver::NextFree() {
  for (size_t tries = 0; tries < connections_.size(); ++tries) {
    Connection* connection = connections_[turn_].get();
    turn_ = (turn_ + 1) % connections_.size();
    if (connection->CanStart()) return connection;
  }
  return nullptr;
}

void Driver::Flush(size_t index) {
  Connection& connection = *connections_[index];
  connection.Flush();
  if (connection.failed()) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd(), nullptr);
    return;
  }
  if (connection.wants_write() == awaits_writable_[index]) return;
  awaits_writable_[index] = connection.wants_write();
  epoll_event event{};
  event.events = connection.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = static_cast<uint32_t>(index);
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd(), &event);
}

void Driver::Wait(int64_t until_ns) {
  now_ = NowNs();
  const int64_t left = std::max<int64_t>(until_ns - now_, 0);
  const timespec timeout = {left / kSecond, left % kSecond};
  epoll_event events[kEvents];
  const int ready = epoll_pwait2(epoll_, events, kEvents, &timeout, nullptr);
  for (int i = 0; i < ready; ++i) {
    const size_t index = events[i].data.u32;
    now_ = NowNs();
    if (events[i].events & ~uint32_t{EPOLLOUT}) connections_[index]->OnReadable();
    if (!open_loop_ && !Finished()) Refill(connections_[index].get());
    Flush(index);
  }
  if (ready <= 0) now_ = NowNs();
}

void Driver::OnAnswer(const Call& call, std::string_view answer) {
  ++report_.all_ok;
  const bool measured = open_loop_ ? call.start_ns >= measure_from_ : Measured();
  if (measured) {
    ++report_.ok;
    report_.latency_ns.Record(static_cast<uint64_t>(std::max<int64_t>(now_ - call.start_ns, 0)));
  }
  if (++answers_ % options_.check_every != 0) return;
  const std::string_view expected = bodies_.expected(call.body);
  if (expected.empty()) return;
  ++report_.checked;
  if (AnswerMatches(options_.answer, answer, expected)) return;
  ++report_.wrong;
  report_.last_wrong_s = UnixSeconds();
}

void Driver::OnFailure(const Call& call, std::string_view error) {
  if (open_loop_ && call.start_ns >= measure_from_) report_.latency_ns.Record(Histogram::kForever);
  if (error == "grpc-8" && call.start_ns >= measure_from_) {
    report_.refused_ns.Record(static_cast<uint64_t>(std::max<int64_t>(now_ - call.start_ns, 0)));
  }
  const auto known = report_.errors.find(error);
  if (known != report_.errors.end()) {
    ++known->second;
  } else {
    report_.errors.emplace(error, 1);
  }
}

}  // namespace skysail::loadgen
