// Batches are kept apart where that spares the model much of its time, and nowhere else.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "replay/own_rule.h"

namespace skysail::replay {
namespace {

constexpr TimeNs kObjective = 20 * kMillisecond;

Seen Play(const Model& model, bool delay, TimeNs time, uint32_t seed) {
  batching::Terms terms;
  terms.objective = model.objective;
  terms.delay = delay;
  return replay::Run({model}, OwnRule(terms), time, 1, seed)[0];
}

// What a call costs the model, and which share of the calls sent was answered in time.
double ModelTime(const Seen& seen) {
  return static_cast<double>(seen.model_time) / static_cast<double>(seen.Answered());
}
double InTime(const Seen& seen, TimeNs time) {
  const TimeNs to = time - kObjective;
  return static_cast<double>(seen.Good(0, to)) / static_cast<double>(seen.Sent(0, to));
}

Model Stream(Curve curve, double rate) {
  Model model;
  model.curve = std::move(curve);
  model.objective = kObjective;
  model.load = [rate](TimeNs) { return rate; };
  model.most_load = rate;
  return model;
}
// Of batches of the most rows, which are in time.
constexpr double kCapacity = 1024 / (150e-6 + 1024 * 5e-6);

TEST(LearnedDelay, HalvesWhatACallCostsTheModelAtThreeTenthsOfItsCapacity) {
  constexpr TimeNs kTime = 2 * kSecond;
  for (const Curve& curve : {Linear(150, 5), Noisy(Linear(150, 5), 0.1)}) {
    for (const uint32_t seed : {7u, 101u, 997u}) {
      const Model model = Stream(curve, 0.3 * kCapacity);
      const Seen held = Play(model, true, kTime, seed), at_once = Play(model, false, kTime, seed);
      EXPECT_LE(ModelTime(held), 0.5 * ModelTime(at_once)) << seed;
      EXPECT_GE(InTime(held, kTime), 0.99) << seed;
    }
  }
}

TEST(LearnedDelay, BurstsAreInTime) {
  constexpr TimeNs kTime = 2 * kSecond;
  Model model = Stream(Linear(150, 5), 0.6 * kCapacity);
  model.load = [](TimeNs now) {
    return (now % (100 * kMillisecond) < 20 * kMillisecond ? 0.6 : 0.1) * kCapacity;
  };
  const Seen held = Play(model, true, kTime, 5), at_once = Play(model, false, kTime, 5);
  EXPECT_LE(ModelTime(held), 0.6 * ModelTime(at_once));
  EXPECT_GE(InTime(held, kTime), 0.99);
}

// To the nanosecond what it would be without.
void ExpectNoDelay(const Model& model, const std::string& name) {
  constexpr TimeNs kTime = kSecond;
  const Seen held = Play(model, true, kTime, 7), at_once = Play(model, false, kTime, 7);
  ASSERT_EQ(held.calls.size(), at_once.calls.size()) << name;
  EXPECT_EQ(held.batches, at_once.batches) << name;
}

TEST(LearnedDelay, NoneWhereItWouldSpareTheModelLittle) {
  ExpectNoDelay(Stream(Linear(150, 5), 0.01 * kCapacity), "seldom");
  ExpectNoDelay(Stream(Linear(0, 200), 2500), "no fixed cost");
  ExpectNoDelay(Stream(Linear(150, 100), 4000), "a row costs as much as a batch");
  ExpectNoDelay(Stream(Quadratic(0, 400), 1200), "steep");
  ExpectNoDelay(Stream(Linear(150, 5), 0.95 * kCapacity), "busy");
}

TEST(LearnedDelay, NoneForALoneCaller) {
  for (const TimeNs away : {TimeNs{0}, 100 * kMicrosecond, 5 * kMillisecond}) {
    Model model;
    model.curve = Linear(150, 5);
    model.callers = 1;
    model.away = away;
    ExpectNoDelay(model, "lone");
  }
}

// Callers that wait for each answer before they ask again: to hold them may bring them together, but it must
// not slow them down.
TEST(LearnedDelay, CallersOfAClosedLoopAreAsFastAsWithout) {
  constexpr TimeNs kTime = kSecond;
  for (const bool varies : {false, true}) {
    for (const int callers : {2, 3, 4, 8, 16, 64}) {
      for (const TimeNs away : {TimeNs{50}, TimeNs{150}, TimeNs{500}, TimeNs{1500}}) {
        Model model;
        model.curve = Linear(150, 5);
        model.callers = callers;
        model.away = away * kMicrosecond;
        model.away_varies = varies;
        const Seen held = Play(model, true, kTime, 7), at_once = Play(model, false, kTime, 7);
        EXPECT_GE(static_cast<double>(held.Answered()), 0.9 * static_cast<double>(at_once.Answered()))
            << callers << " callers, away for " << away << " us" << (varies ? " on average" : "");
      }
    }
  }
}

}  // namespace
}  // namespace skysail::replay
