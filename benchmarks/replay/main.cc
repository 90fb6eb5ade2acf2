// Prints what each rule makes of each scenario, as one JSON object of names and numbers: the figures of the
// rows `controller.*`. The same seed gives the same figures.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "replay/own_rule.h"
#include "replay/published_rules.h"
#include "replay/scenarios.h"

namespace skysail::replay {
namespace {

constexpr TimeNs kEnd = 30 * kSecond;

void Print(const std::string& name, double value) {
  static bool first = true;
  std::printf("%s\n \"%s\": %.6g", first ? "{" : ",", name.c_str(), value);
  first = false;
}

Seen Alone(const Model& model, const MakeRule& rule, TimeNs time, uint32_t seed) {
  return Run({model}, rule, time, 1, seed)[0];
}
MakeRule Own() { return OwnRule(ScenarioTerms()); }
MakeRule Fixed(int64_t rows) { return FixedRule(ScenarioTerms(), rows, 0); }

void PrintTraces(uint32_t seed) {
  for (const Trace& trace : Traces()) {
    const auto good = [&](const MakeRule& rule) { return static_cast<double>(Good(trace, rule, seed)); };
    Print(trace.name + ".ours", good(Own()));
    for (const NamedRule& rule : AdaptiveRules(ScenarioTerms())) {
      Print(trace.name + "." + rule.name, good(rule.make));
    }
    double best = 0;
    for (const NamedRule& rule : FixedRules(ScenarioTerms())) best = std::max(best, good(rule.make));
    Print(trace.name + ".fixed", best);
  }
}

// Under more load than any size can bear, from the 200th batch on.
void PrintShapes(uint32_t seed) {
  double in_time = 1;
  for (const Shape& shape : Shapes()) {
    const Best best = BestOf(shape.steady);
    const Model model = Under(shape.curve, 1.2 * best.rate);
    const TimeNs time = 2 * kSecond + static_cast<TimeNs>(20000 / best.rate * 1e9);
    const Seen own = Alone(model, Own(), time, seed), fixed = Alone(model, Fixed(best.rows), time, seed);
    const TimeNs from = own.batches.at(200), to = time - 2 * kScenarioObjective;
    Print(shape.name + ".ours", static_cast<double>(own.Good(from, to)));
    Print(shape.name + ".fixed", static_cast<double>(fixed.Good(from, to)));
    in_time = std::min(in_time, own.InTime(from, to));
  }
  Print("shapes.in_time", in_time);
}

// A model that turns twice slower and recovers: from the 50th and from the 200th batch after that.
void PrintRecovery(uint32_t seed) {
  constexpr TimeNs kSlow = 10 * kSecond, kFast = 20 * kSecond;
  double in_time = 1, slow = 1, fast = 1;
  for (const Shape& shape : Shapes()) {
    if (shape.name.find('.') != std::string::npos) continue;
    const Best best = BestOf(shape.steady), slowed = BestOf(Slower(shape.steady, 2, 0, kNever));
    const double load = 0.9 * best.rate;
    const Seen own = Alone(Under(Slower(shape.steady, 2, kSlow, kFast), load), Own(), kEnd, seed);
    const auto after = [&own](TimeNs since, int batches) {
      return *(std::upper_bound(own.batches.begin(), own.batches.end(), since) + batches);
    };
    const auto rate = [&own](TimeNs from, TimeNs to) {
      return static_cast<double>(own.Good(from, to)) * 1e9 / static_cast<double>(to - from);
    };
    const TimeNs from = after(kSlow, 50), to = kFast - kScenarioObjective;
    in_time = std::min(in_time, own.InTime(from, to));
    slow = std::min(slow, rate(from, to) / std::min(slowed.rate, load));
    fast = std::min(fast, rate(after(kFast, 200), kEnd - kSecond) / load);
  }
  Print("recovery.in_time", in_time);
  Print("recovery.slow", slow);
  Print("recovery.fast", fast);
}

// Calls missed where only what is late already is dropped, against those where what would be late is.
void PrintDrop(uint32_t seed) {
  double least = 1e9;
  for (const Trace& trace : Overloads()) {
    const auto missed = [&](Drop drop) {
      const Seen seen = Alone(trace.models[0], OwnRule(ScenarioTerms(), drop), trace.time, seed);
      const TimeNs from = 2 * kSecond, to = trace.time - kScenarioObjective;
      return static_cast<double>(std::max<int64_t>(seen.Sent(from, to) - seen.Good(from, to), 1));
    };
    const double early = missed(Drop::kEarly), lazy = missed(Drop::kLazy);
    least = std::min(least, lazy / early);
  }
  Print("drop", least);
}

void PrintNoBatching(uint32_t seed) {
  double least = 1;
  for (const Shape& shape : ShapesWithoutFixedPart()) {
    for (const double load : {0.5, 0.9, 1.2}) {
      const Model model = Under(shape.curve, load * BestOf(shape.steady).rate);
      const auto good = [&](const MakeRule& rule) {
        return static_cast<double>(Alone(model, rule, 8 * kSecond, seed).Good());
      };
      least = std::min(least, good(Own()) / good(Fixed(1)));
    }
  }
  Print("no_batching", least);
}

}  // namespace
}  // namespace skysail::replay

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: replay SEED\n");
    return 2;
  }
  const auto seed = static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10));
  skysail::replay::PrintTraces(seed);
  skysail::replay::PrintShapes(seed);
  skysail::replay::PrintRecovery(seed);
  skysail::replay::PrintDrop(seed);
  skysail::replay::PrintNoBatching(seed);
  std::printf("\n}\n");
  return 0;
}
