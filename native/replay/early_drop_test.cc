// Dropping what would be late, before it is dispatched, against dropping what is late already.
#include <gtest/gtest.h>

#include "replay/own_rule.h"
#include "replay/scenarios.h"

namespace skysail::replay {
namespace {

int64_t Missed(const Trace& trace, Drop drop) {
  const Seen seen = Run(trace.models, OwnRule(ScenarioTerms(), drop), trace.time)[0];
  const TimeNs from = 2 * kSecond, to = trace.time - kScenarioObjective;
  return seen.Sent(from, to) - seen.Good(from, to);
}

TEST(EarlyDrop, MissesLessThanHalfOfWhatDroppingLateMisses) {
  for (const Trace& trace : Overloads()) {
    const int64_t early = Missed(trace, Drop::kEarly), lazy = Missed(trace, Drop::kLazy);
    EXPECT_GT(early, 0) << trace.name;
    EXPECT_GE(lazy, 2 * early) << trace.name;
  }
}

}  // namespace
}  // namespace skysail::replay
