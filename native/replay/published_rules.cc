#include "replay/published_rules.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "batching/pace.h"

namespace skysail::replay {
namespace {

using batching::BatchQueue;
using batching::Pace;
using batching::Terms;

// Keeps the pace, from which it is told who would be late.
class Published : public Rule {
 public:
  explicit Published(Terms terms) : terms_(terms) {}
  void OnArrival(const BatchQueue&, TimeNs now) override { pace_.OnArrival(1, now); }
  void OnSent(int64_t rows, int64_t, TimeNs now) override { pace_.Sent(rows, false, now); }
  void OnEnded(const BatchQueue& queue, TimeNs now, TimeNs waits) override {
    const Pace::Ran ran = pace_.Ended(0, now);
    pace_.Learn(ran, false, now, terms_.BatchObjective(), queue.rows(), terms_.max_rows);
    Learn(ran, waits);
  }

 protected:
  virtual void Learn(const Pace::Ran&, TimeNs) {}
  Decision Send(int64_t limit, const BatchQueue& queue, TimeNs now) const {
    const int64_t rows = std::min(queue.rows(), limit);
    return {limit, kNever,
            pace_.FreeAt(now) - now + pace_.controller().Estimate(rows) + pace_.Margin(rows) +
                terms_.AnswerAllowance()};
  }
  static Decision Wait(TimeNs until = kNever) { return {0, until, 0}; }
  // When the oldest call came: all have the same objective.
  TimeNs Oldest(const BatchQueue& queue) const { return queue.NextDeadline() - terms_.objective; }

  const Terms terms_;
  Pace pace_{batching::LimitOptions()};
};

class Clipper final : public Published {
 public:
  using Published::Published;
  Decision Decide(const BatchQueue& queue, TimeNs now) override {
    return pace_.idle() ? Send(static_cast<int64_t>(limit_), queue, now) : Wait();
  }

 private:
  void Learn(const Pace::Ran& ran, TimeNs) override {
    const TimeNs objective = terms_.BatchObjective();
    if (ran.took > objective) {
      limit_ = std::max(limit_ * 0.9, 1.0);
    } else if (ran.took < objective / 10 * 9) {
      limit_ = static_cast<double>(std::min(ran.rows + 2, terms_.max_rows));
    }
  }
  double limit_ = 1;
};

class LeastSquares final : public Published {
 public:
  using Published::Published;
  void OnArrival(const BatchQueue& queue, TimeNs now) override {
    Published::OnArrival(queue, now);
    newest_ = now;
  }
  Decision Decide(const BatchQueue& queue, TimeNs now) override {
    if (!pace_.idle()) return Wait();
    const auto n = static_cast<double>(queue.rows());
    const auto oldest = static_cast<double>(now - Oldest(queue));
    const bool late = oldest + base_ + slope_ * n >= static_cast<double>(terms_.BatchObjective());
    const double turn = n * (static_cast<double>(now - newest_ + kTurn) + slope_);
    if (!late && queue.rows() < terms_.max_rows && turn <= kDecay * mean_wait_) {
      return Wait(now + kTurn);
    }
    return Send(terms_.max_rows, queue, now);
  }

 private:
  static constexpr TimeNs kTurn = kMillisecond;
  static constexpr double kDecay = 0.95;
  static constexpr size_t kKept = 100;

  void Learn(const Pace::Ran& ran, TimeNs waits) override {
    const auto n = static_cast<double>(ran.rows);
    samples_.emplace_back(n, static_cast<double>(ran.took));
    if (samples_.size() > kKept) samples_.pop_front();
    mean_wait_ += 0.1 * (static_cast<double>(waits) / n - mean_wait_);
    double x = 0, y = 0, xx = 0, xy = 0;
    const auto count = static_cast<double>(samples_.size());
    for (const auto& [rows, took] : samples_) {
      x += rows, y += took, xx += rows * rows, xy += rows * took;
    }
    const double spread = count * xx - x * x;
    slope_ = spread > 0 ? std::max((count * xy - x * y) / spread, 0.0) : 0;
    base_ = std::max((y - slope_ * x) / count, 0.0);
  }
  std::deque<std::pair<double, double>> samples_;
  double base_ = 0, slope_ = 0, mean_wait_ = 0;
  TimeNs newest_ = 0;
};

class HillClimbing final : public Published {
 public:
  using Published::Published;
  Decision Decide(const BatchQueue& queue, TimeNs now) override {
    if (static_cast<double>(pace_.in_flight()) >= allowed_) return Wait();
    return Send(terms_.max_rows, queue, now);
  }

 private:
  static constexpr int kBatches = 100;
  static constexpr double kMostAllowed = 8;

  void Learn(const Pace::Ran& ran, TimeNs waits) override {
    calls_ += static_cast<double>(ran.rows);
    latency_ += static_cast<double>(waits) +
                static_cast<double>(ran.took) * static_cast<double>(ran.rows);
    if (++batches_ < kBatches) return;
    const double mean = latency_ / calls_;
    if (last_ > 0 && mean > last_) up_ = !up_;
    allowed_ = std::clamp(allowed_ + (up_ ? 0.5 : -0.5), 1.0, kMostAllowed);
    last_ = mean;
    calls_ = latency_ = 0;
    batches_ = 0;
  }
  double allowed_ = 3, last_ = 0, calls_ = 0, latency_ = 0;
  int batches_ = 0;
  bool up_ = false;
};

class Fixed final : public Published {
 public:
  Fixed(Terms terms, int64_t rows, TimeNs delay)
      : Published(terms), rows_(rows), delay_(delay) {}
  Decision Decide(const BatchQueue& queue, TimeNs now) override {
    if (!pace_.idle()) return Wait();
    const TimeNs at = Oldest(queue) + delay_;
    return queue.rows() >= rows_ || at <= now ? Send(rows_, queue, now) : Wait(at);
  }

 private:
  const int64_t rows_;
  const TimeNs delay_;
};

template <typename Kind>
MakeRule Maker(Terms terms) {
  return [terms] { return std::make_unique<Kind>(terms); };
}

}  // namespace

MakeRule ClipperRule(Terms terms) { return Maker<Clipper>(terms); }
MakeRule LeastSquaresRule(Terms terms) { return Maker<LeastSquares>(terms); }
MakeRule HillClimbingRule(Terms terms) { return Maker<HillClimbing>(terms); }
MakeRule FixedRule(Terms terms, int64_t rows, TimeNs delay) {
  return [=] { return std::make_unique<Fixed>(terms, rows, delay); };
}

std::vector<NamedRule> AdaptiveRules(Terms terms) {
  return {{"clipper", ClipperRule(terms)},
          {"least_squares", LeastSquaresRule(terms)},
          {"hill_climbing", HillClimbingRule(terms)}};
}

std::vector<NamedRule> FixedRules(Terms terms) {
  std::vector<NamedRule> rules;
  for (const int64_t rows : {1, 4, 16, 32, 64, 128, 256, 1024}) {
    for (const TimeNs delay : {TimeNs{0}, kMillisecond, 4 * kMillisecond}) {
      rules.push_back({std::to_string(rows) + " rows, " + std::to_string(delay / kMillisecond) + " ms",
                       FixedRule(terms, rows, delay)});
    }
  }
  return rules;
}

}  // namespace skysail::replay
