// Rules that others have published, each written anew from its description, for comparison. They are given
// the batcher's queue and its latency estimate for dropping what would be late; how large a batch is,
// and when it goes, is theirs.
#ifndef SKYSAIL_REPLAY_PUBLISHED_RULES_H_
#define SKYSAIL_REPLAY_PUBLISHED_RULES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "batching/dispatch.h"
#include "replay/replay.h"

namespace skysail::replay {

// Clipper (NSDI'17): the limit becomes the size sent and two when a batch was in time, nine tenths of it
// when not, and stays in the last tenth of the objective. A free replica takes what is there.
MakeRule ClipperRule(batching::Terms terms);
// BentoML: a line fitted by least squares to size and latency; a batch waits while what one more turn costs
// those who wait is less than what calls wait on average, and goes when the oldest would be late.
MakeRule LeastSquaresRule(batching::Terms terms);
// TensorFlow Serving's adaptive scheduler: batches of any size up to a maximum, as many in flight as a
// hill-climber on mean latency allows.
MakeRule HillClimbingRule(batching::Terms terms);
// At most `rows` rows; a batch that is not full goes when its oldest call has waited `delay`.
MakeRule FixedRule(batching::Terms terms, int64_t rows, TimeNs delay);

struct NamedRule {
  std::string name;
  MakeRule make;
};
std::vector<NamedRule> AdaptiveRules(batching::Terms terms);
// Every size and delay of a grid.
std::vector<NamedRule> FixedRules(batching::Terms terms);

}  // namespace skysail::replay

#endif  // SKYSAIL_REPLAY_PUBLISHED_RULES_H_
