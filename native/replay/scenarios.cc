#include "replay/scenarios.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace skysail::replay {
namespace {

constexpr double kNoise = 0.1;
// Of the traces: 2 ms + 0.1 ms a row, in batches that take what they may.
constexpr double kCapacity = 8900;
constexpr TimeNs kTraceTime = 4 * kSecond;
constexpr int kModels = 6, kCores = 2;

Model Following(Load load, double most_load) {
  Model model;
  model.curve = Noisy(Linear(2000, 100), 0.05);
  model.objective = kScenarioObjective;
  model.load = std::move(load);
  model.most_load = most_load;
  return model;
}

// As much as the cores can do, together; the k-th model is asked 1/k as often as the first.
std::vector<Model> ZipfModels() {
  double parts = 0;
  for (int k = 1; k <= kModels; ++k) parts += 1.0 / k;
  std::vector<Model> models;
  for (int k = 1; k <= kModels; ++k) {
    models.push_back(Under(Noisy(Linear(2000, 100), 0.05), 0.9 * kCores * kCapacity / k / parts));
  }
  return models;
}

// Fast up to 64 rows, far too slow beyond: a cache or a device that is full.
TimeNs Edge(int64_t rows, TimeNs, Random&) {
  return rows <= 64 ? 4 * kMillisecond : 60 * kMillisecond;
}

}  // namespace

batching::Terms ScenarioTerms() {
  batching::Terms terms;
  terms.objective = kScenarioObjective;
  return terms;
}

Model Under(Curve curve, double rate) {
  Model model;
  model.curve = std::move(curve);
  model.objective = kScenarioObjective;
  model.load = [rate](TimeNs) { return rate; };
  model.most_load = rate;
  return model;
}

std::vector<Trace> Traces() {
  const auto bursts = [](TimeNs now) {
    return (now % (400 * kMillisecond) < 80 * kMillisecond ? 2 : 0.5) * kCapacity;
  };
  const auto step = [](TimeNs now) { return (now < kTraceTime / 2 ? 0.3 : 1.1) * kCapacity; };
  const auto diurnal = [](TimeNs now) {
    return (0.7 + 0.6 * std::sin(6.2832 * static_cast<double>(now) / kTraceTime)) * kCapacity;
  };
  return {{"poisson", {Under(Noisy(Linear(2000, 100), 0.05), 0.95 * kCapacity)}},
          {"bursts", {Following(bursts, 2 * kCapacity)}},
          {"step", {Following(step, 1.1 * kCapacity)}},
          {"diurnal", {Following(diurnal, 1.3 * kCapacity)}},
          {"zipf", ZipfModels(), kCores}};
}

std::vector<Trace> Overloads() {
  const auto bursts = [](TimeNs now) {
    return (now % kSecond < kSecond / 5 ? 2 : 0.75) * kCapacity;
  };
  const Curve noisy = Noisy(Linear(2000, 100), kNoise);
  std::vector<Trace> traces{{"steady", {Under(noisy, kCapacity)}},
                            {"bursts", {Following(bursts, 2 * kCapacity)}},
                            {"above", {Under(noisy, 1.1 * kCapacity)}}};
  traces[1].models[0].curve = noisy;
  for (Trace& trace : traces) trace.time = 10 * kSecond;
  return traces;
}

int64_t Good(const Trace& trace, const MakeRule& rule, uint32_t seed) {
  int64_t good = 0;
  for (const Seen& seen : Run(trace.models, rule, trace.time, trace.cores, seed)) good += seen.Good();
  return good;
}

std::vector<Shape> Shapes() {
  const std::vector<std::pair<std::string, Curve>> curves{{"flat", Linear(4000, 0)},
                                                          {"linear", Linear(2000, 100)},
                                                          {"stepped", Stepped(4000, 64)},
                                                          {"quadratic", Quadratic(2000, 2)},
                                                          {"edge", &Edge}};
  std::vector<Shape> shapes;
  for (const auto& [name, curve] : curves) {
    shapes.push_back({name, curve, curve});
    shapes.push_back({name + ".noise", curve, Noisy(curve, kNoise)});
    shapes.push_back({name + ".pauses", curve, Pausing(curve, 15 * kMillisecond, 1000)});
  }
  return shapes;
}

std::vector<Shape> ShapesWithoutFixedPart() {
  const Curve linear = Linear(0, 200), quadratic = Quadratic(0, 400);
  return {{"linear", linear, linear}, {"quadratic", quadratic, quadratic}};
}

Best BestOf(const Curve& steady) {
  Best best;
  Random random(1);
  const auto may_take = static_cast<double>(ScenarioTerms().BatchObjective());
  for (int64_t rows = 1; rows <= 1024; ++rows) {
    const auto takes = static_cast<double>(steady(rows, 0, random));
    const double rate = static_cast<double>(rows) * 1e9 / takes;
    if (takes <= may_take && rate > best.rate) best = {rows, rate};
  }
  return best;
}

}  // namespace skysail::replay
