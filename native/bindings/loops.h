// The event loops of a process, as Python's objects share them.
#ifndef SKYSAIL_BINDINGS_LOOPS_H_
#define SKYSAIL_BINDINGS_LOOPS_H_

#include <memory>

#include "net/event_loop.h"

namespace skysail::bindings {

// How Python holds `Loops`. Whatever runs on the loops keeps a share, so that they outlive it. The
// last share may be dropped with or without the GIL: it is released while the threads are joined.
using LoopsPtr = std::shared_ptr<net::LoopThreads>;

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_LOOPS_H_
