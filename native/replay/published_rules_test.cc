// The batcher's own rule against others, on the same arrivals: who answers the most calls in time.
#include "replay/published_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "replay/own_rule.h"
#include "replay/scenarios.h"

namespace skysail::replay {
namespace {

constexpr uint32_t kSeed = 7;

TEST(PublishedRules, NoneAnswersMorePoissonCallsOrBurstsInTimeThanOurs) {
  for (const Trace& trace : Traces()) {
    if (trace.name != "poisson" && trace.name != "bursts") continue;
    const int64_t own = Good(trace, OwnRule(ScenarioTerms()), kSeed);
    for (const NamedRule& rule : AdaptiveRules(ScenarioTerms())) {
      EXPECT_GE(own, Good(trace, rule.make, kSeed)) << trace.name << " " << rule.name;
    }
  }
}

TEST(PublishedRules, OursIsNearTheBestFixedSettingOfEachTraceOfOneModel) {
  for (const Trace& trace : Traces()) {
    if (trace.models.size() > 1) continue;
    const auto own = static_cast<double>(Good(trace, OwnRule(ScenarioTerms()), kSeed));
    int64_t best = 0;
    for (const NamedRule& rule : FixedRules(ScenarioTerms())) {
      best = std::max(best, Good(trace, rule.make, kSeed));
    }
    EXPECT_GE(own, 0.95 * static_cast<double>(best)) << trace.name;
  }
}

}  // namespace
}  // namespace skysail::replay
