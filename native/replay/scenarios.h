// The models and arrivals that rules are compared on.
#ifndef SKYSAIL_REPLAY_SCENARIOS_H_
#define SKYSAIL_REPLAY_SCENARIOS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "batching/dispatch.h"
#include "replay/replay.h"

namespace skysail::replay {

// What every model here is held to.
constexpr TimeNs kScenarioObjective = 42 * kMillisecond;
batching::Terms ScenarioTerms();
// A model under Poisson arrivals.
Model Under(Curve curve, double rate);

// Models on cores that they share, for so long.
struct Trace {
  std::string name;
  std::vector<Model> models;
  int cores = 1;
  TimeNs time = 4 * kSecond;
};
// Near capacity; bursts of twice the capacity; a step into overload; a slow wave; six models on two cores, of
// which the first is asked the most, by Zipf's law.
std::vector<Trace> Traces();
// Calls of all models that were answered in time.
int64_t Good(const Trace& trace, const MakeRule& rule, uint32_t seed);

// At capacity, as much in bursts of twice that, and a tenth above it, of a model with noise.
std::vector<Trace> Overloads();

// A latency curve, and what a model with noise or pauses makes of it.
struct Shape {
  std::string name;
  Curve steady, curve;
};
// Flat, linear, in steps, quadratic, and up to an edge; each as it is, with noise and with pauses.
std::vector<Shape> Shapes();
// Where a batch has nothing to share.
std::vector<Shape> ShapesWithoutFixedPart();

// The fixed size that brings the most rows a second while a batch takes what it may.
struct Best {
  int64_t rows = 1;
  double rate = 0;  // calls a second
};
Best BestOf(const Curve& steady);

}  // namespace skysail::replay

#endif  // SKYSAIL_REPLAY_SCENARIOS_H_
