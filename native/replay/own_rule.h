// The batcher's own rule, asked in the batcher's own order.
#ifndef SKYSAIL_REPLAY_OWN_RULE_H_
#define SKYSAIL_REPLAY_OWN_RULE_H_

#include "batching/dispatch.h"
#include "replay/replay.h"

namespace skysail::replay {

// Who is dropped before dispatch: whoever would be late, or, for comparison, whoever is.
enum class Drop { kEarly, kLazy };
// Requires terms.objective to be that of the model.
MakeRule OwnRule(batching::Terms terms, Drop drop = Drop::kEarly);

}  // namespace skysail::replay

#endif  // SKYSAIL_REPLAY_OWN_RULE_H_
