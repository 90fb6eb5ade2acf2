#include "services/batcher.h"

#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "net/address.h"
#include "oip/signature.h"
#include "services/kept_answer.h"
#include "services/loop_bridge.h"
#include "services/version_queue.h"
#include "services/version_stats.h"
#include "telemetry/open_span.h"

namespace skysail::services {
namespace {

Status CheckVersion(const ServedVersion& version) {
  const std::string name = "model '" + version.model + "' version '" + version.version + "': ";
  if (version.objective <= 0) return InvalidArgument(name + "objective must be positive");
  if (version.max_batch_rows < 1) return InvalidArgument(name + "max_batch_rows must be 1 or more");
  for (const Share& share : version.shares) {
    if (!(share.weight > 0) || std::isinf(share.weight)) {
      return InvalidArgument(name + "weight of application '" + share.application +
                             "' must be finite and above 0, got " + std::to_string(share.weight));
    }
  }
  for (const Endpoint& replica : version.replicas) {
    Result<net::Address> address = net::Address::Parse(replica.address);
    if (!address.ok()) {
      return InvalidArgument(name + "replica '" + replica.id + "': " + address.status().message());
    }
  }
  return Status::Ok();
}

// The bytes by which requests are told apart: those that the model may see. Not copied when they lie
// together.
Slice CacheKey(const InferRequest& request) {
  const std::vector<std::string_view>& spans = request.view.visible;
  if (spans.size() == 1) return request.message.Sub(spans[0]);
  Bytes key;
  for (const std::string_view span : spans) key.Append(request.message.Sub(span));
  return key.Flatten();
}

}  // namespace

struct Batcher::Served {
  std::shared_ptr<const ServedVersion> version;
  telemetry::NameId model_name = 0, version_name = 0;
  CachePlace place;  // without a cache when this version is not cached
  std::shared_ptr<VersionQueue> queue;
  std::shared_ptr<VersionStats> stats;
};

struct Batcher::Snapshot {
  int64_t revision = 0;
  std::vector<std::unique_ptr<Served>> served;
  std::unordered_map<std::string_view, std::vector<const Served*>> by_model;

  const Served* Find(std::string_view model, std::string_view version) const {
    const auto found = by_model.find(model);
    if (found == by_model.end()) return nullptr;
    for (const Served* served : found->second) {
      if (served->version->version == version) return served;
    }
    return nullptr;
  }
};

Batcher::Batcher(net::LoopThreads& loops, BatcherOptions options, const Clock& clock)
    : loops_(loops), options_(options), clock_(clock), cache_(std::make_shared<cache::PredictionCache>(options.cache, clock)),
      snapshot_(loops, std::make_shared<Snapshot>()) {}

// The queues answer those who wait, then end on their own loops.
Batcher::~Batcher() { Publish({}, 0); }

Status Batcher::Publish(const std::vector<ServedVersion>& versions, int64_t revision) {
  std::lock_guard<std::mutex> lock(publishing_);
  const std::shared_ptr<const Snapshot> old = snapshot_.Latest();
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const ServedVersion& version : versions) {
    Status status = CheckVersion(version);
    if (!status.ok()) return status;
    if (!seen.emplace(version.model, version.version).second) {
      return InvalidArgument("model '" + version.model + "' version '" + version.version +
                             "' is given twice");
    }
  }
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = revision;
  for (const ServedVersion& version : versions) {
    auto served = std::make_unique<Served>();
    served->version = std::make_shared<const ServedVersion>(version);
    served->model_name = telemetry::Names::Get().Intern(version.model);
    served->version_name = telemetry::Names::Get().Intern(version.version);
    const Served* known = old->Find(version.model, version.version);
    const bool same = known != nullptr && known->version->digest == version.digest;
    served->stats = known != nullptr ? known->stats : std::make_shared<VersionStats>();
    if (same && version.cache && known->place.cache != nullptr &&
        known->version->cache_quota_bytes == version.cache_quota_bytes) {
      served->place = known->place;
      served->place.ttl = version.cache_ttl;
    } else if (version.cache && options_.cache.capacity_bytes > 0) {
      served->place = {cache_, cache_->AddSpace(version.cache_quota_bytes), version.cache_ttl};
    }
    if (same) {
      served->queue = known->queue;
    } else {
      const size_t home = std::hash<std::string>()(version.model + '\n' + version.version) %
                          static_cast<size_t>(loops_.size());
      served->queue = MakeVersionQueue(loops_.loop(static_cast<int>(home)), served->version,
                                       options_.queue, served->stats, clock_);
    }
    served->queue->home().Post([queue = served->queue, version = served->version,
                                place = served->place] { queue->Configure(version, place); });
    snapshot->by_model[served->version->model].push_back(served.get());
    snapshot->served.push_back(std::move(served));
  }
  snapshot_.Publish(snapshot);
  for (const auto& gone : old->served) {
    const Served* now = snapshot->Find(gone->version->model, gone->version->version);
    if (gone->place.cache != nullptr && (now == nullptr || now->place.space != gone->place.space ||
                                         now->place.cache == nullptr)) {
      cache_->EraseSpace(gone->place.space);
    }
    if (now == nullptr || now->queue != gone->queue) {
      gone->queue->home().Post([queue = gone->queue] { queue->Retire(queue); });
    }
  }
  cache_->Reclaim();  // what the versions that went had kept
  return Status::Ok();
}

bool Batcher::Ready(std::string_view model, std::string_view version) const {
  const std::shared_ptr<const Snapshot> snapshot = snapshot_.Latest();
  const Served* const served = snapshot->Find(model, version);
  return served != nullptr && served->stats->replicas_ready.load(std::memory_order_relaxed) > 0;
}

void Batcher::Infer(InferCall call) {
  const Snapshot& snapshot = *snapshot_.Get(call.loop());
  InferRequest& request = call.request();
  const std::string_view model = request.model.empty() ? request.view.model_name : request.model;
  const auto found = snapshot.by_model.find(model);
  const Served* served = nullptr;
  if (found != snapshot.by_model.end()) {
    if (request.version.empty() && found->second.size() > 1) {
      nameless_.Add(ErrorKind::kFailedPrecondition);
      call.Finish(InferResponse::Error(Status(
          ErrorKind::kFailedPrecondition,
          "model '" + std::string(model) + "' is served in " +
              std::to_string(found->second.size()) + " versions here: set model_version")));
      return;
    }
    for (const Served* each : found->second) {
      if (request.version.empty() || each->version->version == request.version) served = each;
    }
  }
  if (served == nullptr) {
    std::string what = "model '" + std::string(model) + "'";
    if (!request.version.empty()) what += " version '" + std::string(request.version) + "'";
    InferResponse unknown = InferResponse::Unknown(
        what + " is not served here (" + std::to_string(snapshot.served.size()) + " versions are)",
        snapshot.revision);
    nameless_.Add(unknown.status.kind());
    call.Finish(std::move(unknown));
    return;
  }
  const ServedVersion& version = *served->version;
  VersionStats& stats = *served->stats;
  stats.calls.requests.Add();
  Slice key;
  cache::PredictionCache::Key lookup{};
  if (served->place.cache != nullptr && !request.view.visible.empty()) {
    key = CacheKey(request);
    lookup = cache_->MakeKey(served->place.space, key.view());
    cache_->Prefetch(lookup);  // comes while the request is checked, and others of this turn
  }
  if (version.signature.has_value()) {
    Status status = oip::CheckRequest(*version.signature, request.view, &request.rows);
    if (!status.ok()) {
      stats.calls.Ended(status.kind());
      call.Finish(InferResponse::Error(std::move(status)));
      return;
    }
  }
  if (call.deadline() == kNever) call.set_deadline(After(clock_.Now(), version.objective));
  net::EventLoop& home = served->queue->home();
  if (&home == &call.loop()) {
    if (!key.empty()) return served->queue->LookUp(std::move(call), std::move(key), lookup.hash);
    served->queue->Enqueue(std::move(call), Slice(), 0);
  } else {
    if (!key.empty()) {
      const KeptFor whom{version, served->model_name, served->version_name, stats, clock_};
      if (auto kept = KeptAnswer(*cache_, lookup, call.trace, whom)) {
        return call.Finish(std::move(*kept));
      }
    }
    CrossTo(home, std::move(call),
            [queue = served->queue, key = std::move(key), hash = lookup.hash](InferCall crossed) {
              queue->Enqueue(std::move(crossed), key, hash);
            });
  }
}

Report Batcher::Stats() const {
  const std::shared_ptr<const Snapshot> snapshot = snapshot_.Latest();
  Report models;
  for (const auto& [model, versions] : snapshot->by_model) {
    Report by_version;
    for (const Served* served : versions) {
      Report report = served->stats->ToReport();
      if (served->place.cache != nullptr) {
        const cache::CacheStats held = cache_->stats(served->place.space);
        Report cached;
        cached.Add("entries", static_cast<uint64_t>(held.entries))
            .Add("bytes", static_cast<uint64_t>(held.bytes))
            .Add("evictions", held.evictions);
        report.Add("cached", std::move(cached));
      }
      by_version.Add(served->version->version, std::move(report));
    }
    models.Add(std::string(model), std::move(by_version));
  }
  const cache::CacheStats cache = cache_->stats();
  Report totals;
  totals.Add("lookups", cache.lookups)
      .Add("hits", cache.hits)
      .Add("inserts", cache.inserts)
      .Add("refused", cache.refused)
      .Add("evictions", cache.evictions)
      .Add("expired", cache.expired)
      .Add("entries", static_cast<uint64_t>(cache.entries))
      .Add("bytes", static_cast<uint64_t>(cache.bytes))
      .Add("capacity_bytes", static_cast<uint64_t>(options_.cache.capacity_bytes));
  Report report;
  report.Add("revision", static_cast<uint64_t>(snapshot->revision))
      .Add("models", std::move(models))
      .Add("nameless", nameless_.ToReport())
      .Add("cache", std::move(totals));
  return report;
}

}  // namespace skysail::services
