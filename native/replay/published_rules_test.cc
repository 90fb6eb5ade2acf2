// The batcher's own rule against others, on the same arrivals: who answers the most calls in time.
#include "replay/published_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "replay/own_rule.h"

namespace skysail::replay {
namespace {

constexpr TimeNs kObjective = 42 * kMillisecond;
constexpr TimeNs kTime = 4 * kSecond;
constexpr double kCapacity = 8900;  // of 2 ms + 0.1 ms a row, in batches that take what they may

batching::Terms TermsOf(TimeNs objective) {
  batching::Terms terms;
  terms.objective = objective;
  return terms;
}

struct Trace {
  std::string name;
  Model model;
};

Model With(Load load, double most_load) {
  Model model;
  model.curve = Noisy(Linear(2000, 100), 0.05);
  model.objective = kObjective;
  model.load = std::move(load);
  model.most_load = most_load;
  return model;
}

std::vector<Trace> Traces() {
  const auto steady = [](double rate) { return With([rate](TimeNs) { return rate; }, rate); };
  const auto bursts = [](TimeNs now) {
    return now % (400 * kMillisecond) < 80 * kMillisecond ? 2 * kCapacity : 0.5 * kCapacity;
  };
  const auto step = [](TimeNs now) { return (now < kTime / 2 ? 0.3 : 1.1) * kCapacity; };
  const auto diurnal = [](TimeNs now) {
    return (0.7 + 0.6 * std::sin(6.2832 * static_cast<double>(now) / kTime)) * kCapacity;
  };
  return {{"poisson", steady(0.95 * kCapacity)},
          {"bursts", With(bursts, 2 * kCapacity)},
          {"step", With(step, 1.1 * kCapacity)},
          {"diurnal", With(diurnal, 1.3 * kCapacity)}};
}

int64_t Good(const Trace& trace, const MakeRule& rule) {
  return replay::Run({trace.model}, rule, kTime)[0].Good();
}

TEST(PublishedRules, NoneAnswersMorePoissonCallsOrBurstsInTimeThanOurs) {
  const std::vector<Trace> traces = Traces();
  for (size_t i = 0; i < 2; ++i) {
    const int64_t own = Good(traces[i], OwnRule(TermsOf(kObjective)));
    for (const NamedRule& rule : AdaptiveRules(TermsOf(kObjective))) {
      EXPECT_GE(own, Good(traces[i], rule.make)) << traces[i].name << " " << rule.name;
    }
  }
}

TEST(PublishedRules, OursIsNearTheBestFixedSettingOfEachTrace) {
  for (const Trace& trace : Traces()) {
    const auto own = static_cast<double>(Good(trace, OwnRule(TermsOf(kObjective))));
    int64_t best = 0;
    for (const NamedRule& rule : FixedRules(TermsOf(kObjective))) {
      best = std::max(best, Good(trace, rule.make));
    }
    EXPECT_GE(own, 0.95 * static_cast<double>(best)) << trace.name;
  }
}

}  // namespace
}  // namespace skysail::replay
