// How Python holds the services of the data plane.
#ifndef SKYSAIL_BINDINGS_SERVICES_H_
#define SKYSAIL_BINDINGS_SERVICES_H_

#include <memory>
#include <utility>

#include <pybind11/pybind11.h>

#include "bindings/loops.h"
#include "services/infer_call.h"

namespace skysail::bindings {

using ServicePtr = std::shared_ptr<services::InferService>;

// A service that keeps the loops it runs on.
template <typename Service, typename... Args>
std::shared_ptr<Service> MakeService(const LoopsPtr& loops, Args&&... args) {
  struct Held {
    Held(LoopsPtr kept, Args&&... rest)
        : loops(std::move(kept)), service(*loops, std::forward<Args>(rest)...) {}
    LoopsPtr loops;  // outlives the service
    Service service;
  };
  auto held = std::make_shared<Held>(loops, std::forward<Args>(args)...);
  return std::shared_ptr<Service>(held, &held->service);
}

void BindServiceConfig(pybind11::module_& module);
void BindModelServer(pybind11::module_& module);
void BindCaller(pybind11::module_& module);

}  // namespace skysail::bindings

#endif  // SKYSAIL_BINDINGS_SERVICES_H_
