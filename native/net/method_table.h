// Which handler serves a path. Built before the server starts, read by every loop afterwards.
#ifndef SKYSAIL_NET_METHOD_TABLE_H_
#define SKYSAIL_NET_METHOD_TABLE_H_

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "net/grpc_server.h"

namespace skysail::net {

struct Method {
  std::string path;
  UnaryHandler* unary = nullptr;  // or
  StreamFactory stream;
};

class MethodTable {
 public:
  // The last one of a path wins.
  void Add(Method method) {
    auto owned = std::make_unique<Method>(std::move(method));
    const std::string_view path = owned->path;
    methods_.erase(path);
    methods_.emplace(path, std::move(owned));
  }
  void SetFallback(StreamFactory factory) { fallback_.stream = std::move(factory); }

  // Null when nobody serves `path`.
  const Method* Find(std::string_view path) const {
    const auto found = methods_.find(path);
    if (found != methods_.end()) return found->second.get();
    return fallback_.stream ? &fallback_ : nullptr;
  }

 private:
  std::unordered_map<std::string_view, std::unique_ptr<Method>> methods_;  // keys are their paths
  Method fallback_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_METHOD_TABLE_H_
