// What the batcher's own rule is held to, whatever a model's latency curve looks like and with no setting
// touched.
#include "replay/own_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "replay/published_rules.h"

namespace skysail::replay {
namespace {

constexpr TimeNs kObjective = 42 * kMillisecond;

batching::Terms TermsOf(TimeNs objective) {
  batching::Terms terms;
  terms.objective = objective;
  return terms;
}

Model Steady(Curve curve, TimeNs objective, double rate) {
  Model model;
  model.curve = std::move(curve);
  model.objective = objective;
  model.load = [rate](TimeNs) { return rate; };
  model.most_load = rate;
  return model;
}

Seen Own(const Model& model, TimeNs time) {
  return replay::Run({model}, OwnRule(TermsOf(model.objective)), time)[0];
}
Seen Fixed(const Model& model, int64_t rows, TimeNs time) {
  return replay::Run({model}, FixedRule(TermsOf(model.objective), rows, 0), time)[0];
}

// The fixed size that brings the most rows a second while a batch takes what it may.
struct Best {
  int64_t rows = 1;
  double rate = 0;  // calls a second
};
Best BestOf(const Curve& curve, TimeNs objective) {
  Best best;
  Random random(1);
  for (int64_t rows = 1; rows <= 1024; ++rows) {
    const auto takes = static_cast<double>(curve(rows, 0, random));
    const double rate = static_cast<double>(rows) * 1e9 / takes;
    if (takes <= static_cast<double>(TermsOf(objective).BatchObjective()) && rate > best.rate) {
      best = {rows, rate};
    }
  }
  return best;
}

struct Named {
  std::string name;
  Curve curve;
};
std::vector<Named> Curves() {
  return {{"flat", Linear(4000, 0)},
          {"linear", Linear(2000, 100)},
          {"linear without a fixed part", Linear(0, 200)},
          {"quadratic", Quadratic(2000, 2)},
          {"quadratic without a fixed part", Quadratic(0, 400)}};
}
// Fast up to 64 rows, far too slow beyond: a cache or a device that is full.
Named Edge() {
  return {"far too slow beyond 64", [](int64_t rows, TimeNs, Random&) {
            return rows <= 64 ? 4 * kMillisecond : 60 * kMillisecond;
          }};
}

// Under more load than any size can bear.
void ExpectNearlyTheBest(const Named& named, const Curve& curve) {
  const Best best = BestOf(named.curve, kObjective);
  const Model model = Steady(curve, kObjective, 1.2 * best.rate);
  const TimeNs time = 2 * kSecond + static_cast<TimeNs>(20000 / best.rate * 1e9);
  const Seen own = Own(model, time);
  const TimeNs from = own.batches.at(200), to = time - 2 * kObjective;
  const Seen fixed = Fixed(model, best.rows, time);
  EXPECT_GE(static_cast<double>(own.Good(from, to)), 0.9 * static_cast<double>(fixed.Good(from, to)))
      << named.name;
  EXPECT_GE(own.InTime(from, to), 0.99) << named.name;
}

TEST(OwnRule, NineTenthsOfTheBestFixedSizeWithin200Batches) {
  for (const Named& named : Curves()) ExpectNearlyTheBest(named, named.curve);
  ExpectNearlyTheBest(Edge(), Edge().curve);
}

TEST(OwnRule, SoWithNoise) {
  for (const Named& named : Curves()) ExpectNearlyTheBest(named, Noisy(named.curve, 0.1));
}

TEST(OwnRule, SoWithPauses) {
  for (const Named& named : Curves()) {
    ExpectNearlyTheBest(named, Pausing(named.curve, 15 * kMillisecond, 1000));
  }
}

TEST(OwnRule, NeverWorseThanNoBatchingWhereBatchingCannotHelp) {
  for (const Curve& curve : {Linear(0, 200), Quadratic(0, 400)}) {
    const double rate = BestOf(curve, kObjective).rate;
    for (const double load : {0.5, 0.9, 1.2}) {
      const Model model = Steady(curve, kObjective, load * rate);
      const Seen own = Own(model, 8 * kSecond), alone = Fixed(model, 1, 8 * kSecond);
      EXPECT_GE(static_cast<double>(own.Good()), 0.98 * static_cast<double>(alone.Good())) << load;
    }
  }
}

TEST(OwnRule, AModelThatTurnsTwiceSlowerIsInTimeAgainWithin50BatchesAndBackAtSpeedWithin200) {
  constexpr TimeNs kSlow = 10 * kSecond, kFast = 20 * kSecond, kEnd = 30 * kSecond;
  for (const Curve& curve : {Quadratic(2000, 2), Stepped(4000, 64)}) {
    const Best best = BestOf(curve, kObjective);
    const Model model = Steady(Slower(curve, 2, kSlow, kFast), kObjective, 0.9 * best.rate);
    const Seen own = Own(model, kEnd);
    const auto nth = [&own](TimeNs after, int n) {
      return *(std::upper_bound(own.batches.begin(), own.batches.end(), after) + n);
    };
    EXPECT_GE(own.InTime(nth(kSlow, 50), kFast - kObjective), 0.99);
    const Best slow = BestOf(Slower(curve, 2, 0, kNever), kObjective);
    const auto good = [&own](TimeNs from, TimeNs to) {
      return static_cast<double>(own.Good(from, to)) * 1e9 / static_cast<double>(to - from);
    };
    EXPECT_GE(good(nth(kSlow, 50), kFast - kObjective), 0.9 * slow.rate);
    EXPECT_GE(good(nth(kFast, 200), kEnd - kSecond), 0.97 * 0.9 * best.rate);
  }
}

// Nobody else is there to be waited for: the call takes what the model and the ways take.
TEST(OwnRule, ALoneCallerIsNeverHeld) {
  for (const Curve& curve : {Linear(150, 5), Linear(4000, 100), Linear(0, 200)}) {
    Model lone;
    lone.curve = curve;
    lone.callers = 1;
    const Seen own = Own(lone, kSecond);
    Random random(1);
    ASSERT_GT(own.Answered(), 100);
    EXPECT_LE(own.MedianLatency(), curve(1, 0, random) + 100 * kMicrosecond);
  }
}

TEST(OwnRule, TwoModelsOnOneCoreGetHalfOfItEach) {
  Model model;
  model.curve = Linear(2000, 100);
  model.objective = kObjective;
  model.callers = 16;
  const auto seen = replay::Run({model, model}, OwnRule(TermsOf(kObjective)), 10 * kSecond, 1);
  const auto first = static_cast<double>(seen[0].Good()), second = static_cast<double>(seen[1].Good());
  EXPECT_NEAR(first / (first + second), 0.5, 0.05);
  EXPECT_GE(seen[0].InTime(), 0.99);
}

}  // namespace
}  // namespace skysail::replay
