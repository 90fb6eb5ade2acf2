// One call for a Python handler.
#ifndef SKYSAIL_BINDINGS_SERVER_STREAM_H_
#define SKYSAIL_BINDINGS_SERVER_STREAM_H_

#include <memory>
#include <utility>

#include "bindings/loops.h"
#include "bindings/stream_bridge.h"

namespace skysail::bindings {

// What Python holds; the call is failed when the last reference goes without finish(). Keeps the
// loops, so that the bridge has somewhere to post to.
class ServerStream {
 public:
  ServerStream(std::shared_ptr<StreamBridge> bridge, LoopsPtr loops)
      : loops_(std::move(loops)), bridge_(std::move(bridge)) {}
  ~ServerStream();
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  StreamBridge& bridge() const { return *bridge_; }

 private:
  const LoopsPtr loops_;
  const std::shared_ptr<StreamBridge> bridge_;
};

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_SERVER_STREAM_H_
