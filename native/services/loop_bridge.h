// Carries a call from its own loop to another one and its answer back.
#ifndef SKYSAIL_SERVICES_LOOP_BRIDGE_H_
#define SKYSAIL_SERVICES_LOOP_BRIDGE_H_

#include <functional>

#include "net/event_loop.h"
#include "services/infer_call.h"

namespace skysail::services {

// Gives `take`, on the thread of `home`, a twin of the call whose answer and whose cancellation cross
// between the two loops. Called on the call's own loop thread; requires that `home` is another.
void CrossTo(net::EventLoop& home, InferCall call, std::function<void(InferCall)> take);

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_LOOP_BRIDGE_H_
