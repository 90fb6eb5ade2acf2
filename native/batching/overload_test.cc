// What the queue, the limit and the wait ahead make of more load than a model can bear: a replica on a
// clock that is stepped from event to event, with the batcher's own parts and its order of asking them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "batching/batch_queue.h"
#include "batching/limit_controller.h"
#include "batching/wait_ahead.h"

namespace skysail::batching {
namespace {

constexpr TimeNs kObjective = 100 * kMillisecond;


// Arrivals of one application: Poisson with `rate` calls a second.
struct Source {
  uint32_t lane = 0;
  double rate = 0;
};

struct Seen {
  int64_t sent = 0, good = 0, late = 0, refused = 0;
  int64_t missed() const { return sent - good; }
  double goodput() const { return static_cast<double>(good) / static_cast<double>(sent); }
};

struct Call final : QueueEntry {
  Seen* seen = nullptr;  // null: sent before the count began
};

// A model that takes 2 ms and 0.2 ms a row, give or take a tenth.
class Replica {
 public:
  explicit Replica(const std::vector<Source>& sources) : sources_(sources) {
    for (const Source& source : sources_) {
      while (lanes_ <= source.lane) {
        if (lanes_ > 0) queue_.AddLane(Priority::kNormal, 1);
        ++lanes_;
      }
    }
    seen_.resize(sources_.size());
    for (size_t i = 0; i < sources_.size(); ++i) arrivals_.emplace_back(i + 1);
  }

  // Runs for `time`, and returns what became of the calls sent after the first `warm_up`.
  std::vector<Seen> Run(TimeNs time, TimeNs warm_up) {
    std::vector<TimeNs> next;
    for (size_t i = 0; i < sources_.size(); ++i) next.push_back(Gap(i));
    for (;;) {
      const auto first = std::min_element(next.begin(), next.end());
      TimeNs at = *first;
      const bool ends = running_.has_value() && running_->ends <= at;
      if (ends) at = running_->ends;
      const bool seals = running_.has_value() && !staged_.has_value() && !queue_.empty() &&
                         SealAt() > now_ && SealAt() < at;
      if (seals) at = SealAt();
      if (at >= time) break;
      now_ = at;
      if (!ends && !seals) {
        const auto which = static_cast<size_t>(first - next.begin());
        *first = now_ + Gap(which);
        Arrive(which, now_ >= warm_up);
      } else if (ends && !seals) {
        End();
      }
      Pump();
    }
    return seen_;
  }

 private:
  struct Batch {
    std::vector<QueueEntry*> members;
    bool full = false;
    TimeNs began = 0, ends = 0;
    int64_t rows() const { return static_cast<int64_t>(members.size()); }
  };

  // Arrivals have chance of their own, so that they are the same whoever else asks.
  TimeNs Gap(size_t which) {
    std::exponential_distribution<double> gap(sources_[which].rate);
    return static_cast<TimeNs>(gap(arrivals_[which]) * 1e9) + 1;
  }
  TimeNs Takes(int64_t rows) {
    const double noise = std::clamp(std::normal_distribution<double>(1, 0.1)(random_), 0.7, 1.5);
    return static_cast<TimeNs>(noise * (2e6 + 2e5 * static_cast<double>(rows)));
  }
  TimeNs FreeIn() const {
    if (!running_.has_value()) return 0;
    TimeNs in = std::max<TimeNs>(running_->began + controller_.Estimate(running_->rows()) - now_, 0);
    if (staged_.has_value()) in += controller_.Estimate(staged_->rows());
    return in;
  }
  TimeNs Margin() const { return static_cast<TimeNs>(2 * surprise_ns_); }
  TimeNs SealAt() const {
    return running_->began + controller_.Estimate(running_->rows()) - Margin();
  }

  void Arrive(size_t which, bool counts) {
    calls_.push_back(std::make_unique<Call>());
    Call& call = *calls_.back();
    call.lane = sources_[which].lane;
    call.enqueued = now_;
    call.deadline = now_ + kObjective;
    Seen& seen = seen_[which];
    seen.sent += counts ? 1 : 0;
    rate_.OnArrival(1, now_);
    if (!queue_.empty() || running_.has_value()) {
      WaitAhead ahead;
      ahead.Add(controller_, controller_.limit(), FreeIn(), Margin());
      if (ahead.For(queue_.RowsBefore(call) + 1, rate_) + 2 * kMillisecond > kObjective) {
        seen.refused += counts ? 1 : 0;
        return;
      }
    }
    if (!queue_.Push(&call, "")) return;
    if (counts) call.seen = &seen;
  }

  void Pump() {
    if (!running_.has_value()) {
      running_ = Take();
      if (running_.has_value()) Start(*running_);
    }
    if (running_.has_value() && !staged_.has_value() &&
        ((lanes_ == 1 && queue_.rows() >= controller_.limit()) || SealAt() <= now_)) {
      staged_ = Take();
    }
  }
  std::optional<Batch> Take() {
    if (queue_.empty()) return std::nullopt;
    const int64_t limit = controller_.limit();
    const TimeNs needed = FreeIn() + controller_.Estimate(std::min(queue_.rows(), limit)) +
                          Margin() + kMillisecond;
    Batch batch;
    std::vector<QueueEntry*> expired;
    queue_.Take(limit, now_, needed, &batch.members, &expired);
    batch.full = batch.rows() >= limit;
    if (batch.members.empty()) return std::nullopt;
    return batch;
  }
  void Start(Batch& batch) {
    batch.began = now_;
    batch.ends = now_ + Takes(batch.rows());
  }
  void End() {
    Batch batch = std::move(*running_);
    running_ = std::exchange(staged_, std::nullopt);
    if (running_.has_value()) Start(*running_);
    const auto took = static_cast<double>(now_ - batch.began);
    const auto expected = static_cast<double>(controller_.Estimate(batch.rows()));
    if (expected > 0) surprise_ns_ += 0.1 * (std::abs(took - expected) - surprise_ns_);
    const TimeNs batch_objective = lanes_ > 1 ? kObjective / 5 * 2 : kObjective / 2;
    controller_.Observe(batch.rows(), now_ - batch.began, batch_objective, batch.full);
    for (QueueEntry* entry : batch.members) {
      const auto* call = static_cast<Call*>(entry);
      if (call->seen == nullptr) continue;
      (now_ + kMillisecond <= call->deadline ? call->seen->good : call->seen->late) += 1;
    }
  }

  const std::vector<Source> sources_;
  std::mt19937 random_{7};
  std::vector<std::mt19937> arrivals_;
  TimeNs now_ = 0;
  std::vector<std::unique_ptr<Call>> calls_;
  BatchQueue queue_{{}};
  uint32_t lanes_ = 0;
  LimitController controller_{{}};
  ArrivalRate rate_;
  double surprise_ns_ = 0;
  std::optional<Batch> running_, staged_;
  std::vector<Seen> seen_;
};

std::vector<Seen> Simulate(const std::vector<Source>& sources) {
  return Replica(sources).Run(22 * kSecond, 2 * kSecond);
}

// Answers a second in time, of 20 s.
double GoodRate(double rate) {
  return static_cast<double>(Simulate({{0, rate}})[0].good) / 20;
}

// The most that any load gets out of the model.
double Capacity() {
  static const double capacity = [] {
    double most = 0;
    for (double rate = 2500; rate <= 5500; rate += 250) most = std::max(most, GoodRate(rate));
    return most;
  }();
  return capacity;
}

TEST(Overload, AtThreeTimesItsCapacityAModelStillGivesNineTenths) {
  EXPECT_GT(Capacity(), 2500);
  for (const double factor : {1.5, 3.0, 6.0}) {
    EXPECT_GE(GoodRate(factor * Capacity()), 0.9 * Capacity()) << factor << " times its capacity";
  }
}

TEST(Overload, WhatIsNotRefusedIsAnsweredInTime) {
  const Seen seen = Simulate({{0, 3 * Capacity()}})[0];
  EXPECT_GE(seen.refused, (seen.missed() * 9) / 10) << "on arrival, nearly all of those who are";
  EXPECT_LE(seen.late, seen.sent / 100);
}

TEST(Overload, AFloodOfOneApplicationLeavesAnotherItsAnswers) {
  const double polite_rate = 0.3 * Capacity();
  const Seen alone = Simulate({{1, polite_rate}})[0];
  for (const double flood : {3.0, 10.0}) {
    const std::vector<Seen> seen = Simulate({{1, polite_rate}, {0, flood * Capacity()}});
    EXPECT_GE(seen[0].goodput(), 0.95 * alone.goodput()) << flood;
    EXPECT_GE(static_cast<double>(seen[0].good + seen[1].good) / 20, 0.9 * Capacity()) << flood;
  }
}

// The same flood in one lane: what the lanes are for.
TEST(Overload, InOneLaneTheFloodTakesMostAnswers) {
  const std::vector<Seen> seen = Simulate({{0, 0.3 * Capacity()}, {0, 10 * Capacity()}});
  EXPECT_LT(seen[0].goodput(), 0.3);
}

}  // namespace
}  // namespace skysail::batching
