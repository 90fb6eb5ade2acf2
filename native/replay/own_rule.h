// The batcher's own rule, asked in the batcher's own order.
#ifndef SKYSAIL_REPLAY_OWN_RULE_H_
#define SKYSAIL_REPLAY_OWN_RULE_H_

#include "batching/dispatch.h"
#include "replay/replay.h"

namespace skysail::replay {

// Requires terms.objective to be that of the model.
MakeRule OwnRule(batching::Terms terms);

}  // namespace skysail::replay

#endif  // SKYSAIL_REPLAY_OWN_RULE_H_
