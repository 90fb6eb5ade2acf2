#include "bindings/services.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <variant>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/errors.h"
#include "services/batcher.h"
#include "services/frontend.h"
#include "services/remote_service.h"
#include "services/report.h"
#include "services/selector.h"

namespace skysail::bindings {
namespace {

using services::Application;
using services::Batcher;
using services::BatcherOptions;
using services::Distribution;
using services::Endpoint;
using services::Frontend;
using services::InferService;
using services::RemoteService;
using services::Report;
using services::Route;
using services::Selector;
using services::ServedVersion;

py::object Quantiles(const Distribution& distribution) {
  const auto told = [&distribution](double q) {
    return static_cast<double>(distribution.seen.Quantile(q)) * distribution.unit;
  };
  py::dict dict;
  dict["count"] = distribution.seen.count;
  dict["sum"] = static_cast<double>(distribution.seen.sum) * distribution.unit;
  dict["p50"] = told(0.50);
  dict["p95"] = told(0.95);
  dict["p99"] = told(0.99);
  return dict;
}

py::dict ToDict(const Report& report, bool distributions) {
  py::dict dict;
  for (const Report::Entry& entry : report.entries()) {
    dict[py::str(entry.first)] = std::visit(
        [distributions](const auto& value) -> py::object {
          using Value = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<Value, Report>) {
            return ToDict(value, distributions);
          } else if constexpr (std::is_same_v<Value, Distribution>) {
            return distributions ? py::cast(value.seen) : Quantiles(value);
          } else {
            return py::cast(value);
          }
        },
        entry.second);
  }
  return dict;
}

std::shared_ptr<Batcher> NewBatcher(const LoopsPtr& loops, size_t cache_bytes,
                                    size_t queue_entries) {
  if (queue_entries < 1) throw py::value_error("queue_entries must be >= 1");
  BatcherOptions options;
  options.cache.capacity_bytes = cache_bytes;
  options.queue.max_entries = queue_entries;
  return MakeService<Batcher>(loops, options);
}

}  // namespace

void BindServices(py::module_& module) {
  BindServiceConfig(module);
  py::class_<InferService, ServicePtr>(
      module, "InferService",
      "Something that answers inference calls; see Frontend, Selector, Batcher, Remote, ModelServer.")
      .def(
          "stats",
          [](const InferService& service, bool distributions) {
            return ToDict(service.Stats(), distributions);
          },
          py::kw_only(), py::arg("distributions") = false,
          "Counters and quantiles (units in the names), per application or model version.\n\n"
          "`distributions`: a HistogramSnapshot, in nanoseconds or rows, in the place of quantiles.");
  py::class_<Frontend, InferService, std::shared_ptr<Frontend>>(
      module, "Frontend", py::is_final(),
      "Maps a name to its application, and holds calls to its signature and objective.")
      .def(py::init([](const LoopsPtr& loops, const ServicePtr& next) {
             return MakeService<Frontend>(loops, next);
           }),
           py::arg("loops"), py::arg("next"))
      .def(
          "publish",
          [](Frontend& frontend, std::vector<Application> applications, int64_t revision) {
            Check(frontend.Publish(std::move(applications), revision));
          },
          py::arg("applications"), py::kw_only(), py::arg("revision"),
          "Replaces the whole set; an application left out is gone.");
  py::class_<Selector, InferService, std::shared_ptr<Selector>>(
      module, "Selector", py::is_final(),
      "Chooses the model of an application, and the version by the weights of the model's route.")
      .def(py::init([](const LoopsPtr& loops, const ServicePtr& next) {
             return MakeService<Selector>(loops, next);
           }),
           py::arg("loops"), py::arg("next"))
      .def(
          "publish",
          [](Selector& selector, const std::vector<Application>& applications,
             const std::vector<Route>& routes, int64_t revision) {
            Check(selector.Publish(applications, routes, revision));
          },
          py::arg("applications"), py::arg("routes"), py::kw_only(), py::arg("revision"),
          "Replaces both sets.");
  const BatcherOptions defaults;
  py::class_<Batcher, InferService, std::shared_ptr<Batcher>>(
      module, "Batcher", py::is_final(),
      "Serves model versions through their replicas: prediction cache, then a queue per version.\n\n"
      "`cache_bytes`: what the cache may hold, keys and bookkeeping counted; 0 keeps nothing.\n"
      "`queue_entries`: how many requests may wait for one version; more are refused.")
      .def(py::init(&NewBatcher), py::arg("loops"), py::kw_only(),
           py::arg("cache_bytes") = defaults.cache.capacity_bytes,
           py::arg("queue_entries") = defaults.queue.max_entries)
      .def(
          "publish",
          [](Batcher& batcher, const std::vector<ServedVersion>& versions, int64_t revision) {
            Check(batcher.Publish(versions, revision));
          },
          py::arg("versions"), py::kw_only(), py::arg("revision"),
          "Replaces the whole set. A version kept with its digest keeps what was learned and cached.")
      .def(
          "ready",
          [](const Batcher& batcher, const std::string& model, const std::string& version) {
            return batcher.Ready(model, version);
          },
          py::arg("model"), py::arg("version"),
          "Whether a replica of the version is in rotation now.");
  py::class_<RemoteService, InferService, std::shared_ptr<RemoteService>>(
      module, "Remote", py::is_final(),
      "The next service in other processes; an endpoint is chosen per (model, version) by rendezvous\n"
      "hashing.")
      .def(py::init([](const LoopsPtr& loops) { return MakeService<RemoteService>(loops); }),
           py::arg("loops"))
      .def(
          "publish",
          [](RemoteService& remote, const std::vector<Endpoint>& endpoints, int64_t revision) {
            Check(remote.Publish(endpoints, revision));
          },
          py::arg("endpoints"), py::kw_only(), py::arg("revision"), "Replaces the whole set.");
  BindModelServer(module);
  BindCaller(module);
}

}  // namespace skysail::bindings
