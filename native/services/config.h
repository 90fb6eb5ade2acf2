// What the control plane publishes to the services: plain values, whole sets, omission removes.
#ifndef SKYSAIL_SERVICES_CONFIG_H_
#define SKYSAIL_SERVICES_CONFIG_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/slice.h"
#include "batching/fair_order.h"
#include "oip/signature.h"

namespace skysail::services {

// A public name that clients call.
struct Application {
  std::string name;
  TimeNs objective = kSecond;               // by when an answer is owed
  std::optional<oip::Signature> signature;  // nothing: requests are not checked here
  std::vector<std::string> models;          // candidates, most preferred first
  // An encoded ModelInferResponse that holds the outputs of one row (repeated for each row asked);
  // nothing: failures are told as such.
  std::optional<Slice> default_output;
  double trace_sampling = 0;  // the part of its calls whose traces are recorded, where callers say nothing
};

// How the traffic of a model is split over its versions.
struct Route {
  std::string model;
  std::vector<std::pair<std::string, double>> versions;  // weights >= 0, at least one > 0
  std::string salt;                                      // another salt deals contexts out anew
};

// A peer: `id` is stable for the life of one process.
struct Endpoint {
  std::string id;
  std::string address;
  bool packed = false;  // offers skysail.v1.Hop: many calls in one stream
  std::string label{};  // what is counted of a replica is kept under; its successors have the same
};

// An application's part of the replicas of a model that others ask as well.
struct Share {
  std::string application;
  double weight = 1;  // > 0; rows by weight are equal while all have more to do than they are given
  batching::Priority priority = batching::Priority::kNormal;
};

// What a batcher serves: one (model, version) and its replicas.
struct ServedVersion {
  std::string model;
  std::string version;
  std::string digest;  // of the artefact; another digest is another cache space
  std::optional<oip::Signature> signature;
  TimeNs objective = kSecond;  // the strictest among the model's applications
  std::vector<Endpoint> replicas;
  bool cache = true;
  TimeNs cache_ttl = 0;  // 0: no expiry
  size_t cache_quota_bytes = 0;  // 0: the capacity of the cache
  int64_t max_batch_rows = 1024;
  bool delay = true;  // batches may be kept back where that was seen to pay
  std::vector<Share> shares;  // of the applications that may ask the model
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_CONFIG_H_
