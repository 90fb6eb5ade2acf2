#include "services/config.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.h"
#include "bindings/errors.h"
#include "bindings/seconds.h"
#include "bindings/services.h"
#include "oip/signature.h"

namespace skysail::bindings {
namespace {

using oip::Signature;
using oip::TensorSpec;
using services::Application;
using services::Endpoint;
using services::Route;
using services::ServedVersion;
using services::Share;

TensorSpec NewTensorSpec(std::string name, const std::string& datatype,
                         const std::vector<int64_t>& shape) {
  TensorSpec spec;
  spec.name = std::move(name);
  if (spec.name.empty()) throw py::value_error("a tensor must have a name");
  spec.datatype = oip::ParseDataType(datatype);
  if (spec.datatype == oip::DataType::kInvalid) {
    throw py::value_error("tensor '" + spec.name + "': unknown datatype '" + datatype + "'");
  }
  for (const int64_t dim : shape) {
    if (dim < -1) throw py::value_error("tensor '" + spec.name + "': dimensions must be >= -1");
    if (!spec.shape.Push(dim)) {
      throw py::value_error("tensor '" + spec.name + "': at most " +
                            std::to_string(oip::kMaxRank) + " dimensions");
    }
  }
  return spec;
}

std::vector<int64_t> ShapeOf(const TensorSpec& spec) {
  std::vector<int64_t> dims;
  for (int i = 0; i < spec.shape.rank(); ++i) dims.push_back(spec.shape[i]);
  return dims;
}

Signature NewSignature(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs,
                       int64_t max_rows) {
  if (max_rows < 0) throw py::value_error("max_rows must be >= 0");
  Signature signature;
  signature.inputs = std::move(inputs);
  signature.outputs = std::move(outputs);
  signature.max_rows = max_rows;
  return signature;
}

Application NewApplication(std::string name, double objective_s,
                           std::optional<Signature> signature, std::vector<std::string> models,
                           const std::optional<py::bytes>& default_output, double trace_sampling) {
  Application application;
  application.name = std::move(name);
  application.objective = FromSeconds(objective_s, "objective_s");
  if (application.objective <= 0) throw py::value_error("objective_s must be > 0");
  application.signature = std::move(signature);
  application.models = std::move(models);
  if (!(trace_sampling >= 0 && trace_sampling <= 1)) {
    throw py::value_error("trace_sampling must be in [0, 1]");
  }
  application.trace_sampling = trace_sampling;
  if (default_output) application.default_output = Slice::Copy(std::string_view(*default_output));
  return application;
}

Route NewRoute(std::string model, std::vector<std::pair<std::string, double>> versions,
               std::string salt) {
  double total = 0;
  for (const auto& [version, weight] : versions) {
    if (!(weight >= 0) || std::isinf(weight)) {
      throw py::value_error("weight of version '" + version + "' must be finite and >= 0");
    }
    total += weight;
  }
  if (!(total > 0)) {
    throw py::value_error("route of model '" + model + "': at least one weight must be > 0");
  }
  return {std::move(model), std::move(versions), std::move(salt)};
}

Share NewShare(std::string application, double weight, const std::string& priority) {
  if (!(weight > 0) || std::isinf(weight)) {
    throw py::value_error("weight of application '" + application + "' must be finite and > 0");
  }
  const std::optional<batching::Priority> parsed = batching::ParsePriority(priority);
  if (!parsed) {
    throw py::value_error("priority of application '" + application +
                          "' must be 'high', 'normal' or 'low', got '" + priority + "'");
  }
  return {std::move(application), weight, *parsed};
}

ServedVersion NewServedVersion(std::string model, std::string version, std::string digest,
                               std::optional<Signature> signature, double objective_s,
                               std::vector<Endpoint> replicas, bool cache, double cache_ttl_s,
                               size_t cache_quota_bytes, int64_t max_batch_rows,
                               bool delay, std::vector<Share> shares) {
  ServedVersion served;
  served.model = std::move(model);
  served.version = std::move(version);
  served.digest = std::move(digest);
  served.signature = std::move(signature);
  served.objective = FromSeconds(objective_s, "objective_s");
  if (served.objective <= 0) throw py::value_error("objective_s must be > 0");
  served.replicas = std::move(replicas);
  served.cache = cache;
  served.cache_ttl = FromSecondsAtLeastZero(cache_ttl_s, "cache_ttl_s");
  served.cache_quota_bytes = cache_quota_bytes;
  if (max_batch_rows < 1) throw py::value_error("max_batch_rows must be >= 1");
  served.max_batch_rows = max_batch_rows;
  served.delay = delay;
  served.shares = std::move(shares);
  return served;
}

}  // namespace

void BindServiceConfig(py::module_& module) {
  py::class_<TensorSpec>(module, "TensorSpec", py::is_final(),
                         "A tensor of a signature: -1 in `shape` stands for any size.")
      .def(py::init(&NewTensorSpec), py::arg("name"), py::arg("datatype"), py::arg("shape"))
      .def_property_readonly("name", [](const TensorSpec& spec) { return spec.name; })
      .def_property_readonly(
          "datatype",
          [](const TensorSpec& spec) { return std::string(oip::DataTypeName(spec.datatype)); })
      .def_property_readonly("shape", &ShapeOf);
  py::class_<Signature>(module, "Signature", py::is_final(),
                        "What a model takes and gives. `max_rows`: most rows in one call; 0: any.")
      .def(py::init(&NewSignature), py::arg("inputs"), py::arg("outputs"), py::kw_only(),
           py::arg("max_rows") = 0);
  py::class_<Application>(
      module, "Application", py::is_final(),
      "A public name: what the frontend holds calls to.\n\n"
      "`default_output` is an encoded ModelInferResponse that holds outputs and raw contents for one\n"
      "row (repeated for each row asked), or None. `trace_sampling`: the part of its calls whose traces\n"
      "are recorded.")
      .def(py::init(&NewApplication), py::arg("name"), py::kw_only(), py::arg("objective_s"),
           py::arg("signature").none(true), py::arg("models"),
           py::arg("default_output") = py::none(), py::arg("trace_sampling") = 0.0);
  py::class_<Route>(module, "Route", py::is_final(),
                    "How a model's traffic is split: versions with weights >= 0, at least one > 0.")
      .def(py::init(&NewRoute), py::arg("model"), py::kw_only(), py::arg("versions"),
           py::arg("salt") = "");
  py::class_<Endpoint>(
      module, "Endpoint", py::is_final(),
      "A peer service instance or a replica: `id` is stable for one process's life.\n\n"
      "`packed`: it takes many calls in one stream (skysail.v1.Hop). `label`: what is counted of a\n"
      "replica is kept under; those that take its place have the same, so that there are few.")
      .def(py::init([](std::string id, std::string address, bool packed, std::string label) {
             return Endpoint{std::move(id), std::move(address), packed, std::move(label)};
           }),
           py::arg("id"), py::arg("address"), py::kw_only(), py::arg("packed") = false,
           py::arg("label") = "");
  py::class_<Share>(module, "Share", py::is_final(),
                    "An application's part of the replicas of a model that others ask as well.\n\n"
                    "Rows are given by `weight` (> 0) within a class of `priority`: high, normal or low.")
      .def(py::init(&NewShare), py::arg("application"), py::kw_only(), py::arg("weight") = 1.0,
           py::arg("priority") = "normal");
  py::class_<ServedVersion>(
      module, "ServedVersion", py::is_final(),
      "What a batcher serves: one (model, version) with its replicas.\n\n"
      "`digest` identifies the artefact: the cache space goes when it changes or the version is\n"
      "omitted. `objective_s` is the strictest objective among the model's applications.\n"
      "`cache_ttl_s` 0: no expiry. `delay`: batches may be kept back for more calls where that was\n"
      "seen to pay. `shares`: of the applications that may ask the model.")
      .def(py::init(&NewServedVersion), py::arg("model"), py::arg("version"), py::kw_only(),
           py::arg("digest"), py::arg("signature").none(true), py::arg("objective_s"),
           py::arg("replicas"), py::arg("cache") = true, py::arg("cache_ttl_s") = 0.0,
           py::arg("cache_quota_bytes") = 0, py::arg("max_batch_rows") = 1024,
           py::arg("delay") = true, py::arg("shares") = std::vector<Share>());
}

}  // namespace skysail::bindings
