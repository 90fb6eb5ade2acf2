#include "services/selector.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "services/prediction_id.h"
#include "telemetry/histogram.h"
#include "telemetry/open_span.h"

namespace skysail::services {
namespace {

using selection::Arm;
using selection::Candidate;
using selection::Decision;

struct Counts {
  telemetry::Counter requests;
  KindCounts refused;  // nobody could answer
};
using SharedCounter = std::shared_ptr<telemetry::Counter>;

// A version that may be chosen.
struct Chosen {
  SharedCounter count;
  telemetry::NameId model = 0, version = 0;
};

struct Choice {
  std::string application;
  TimeNs objective = kSecond;
  std::vector<const Candidate*> candidates;
  std::shared_ptr<Counts> counts;  // carried over from set to set, as those below
  std::vector<std::vector<Chosen>> chosen;  // by candidate, then by version
  telemetry::NameId name = 0;

  const Chosen& Find(const Decision& decision) const {
    size_t at = 0;
    while (candidates[at] != decision.candidate) ++at;
    return chosen[at][static_cast<size_t>(decision.version - decision.candidate->versions.data())];
  }
  // Of the same application's set before; null when the version is new to it.
  SharedCounter Find(std::string_view model, std::string_view version) const {
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i]->model != model) continue;
      for (size_t j = 0; j < chosen[i].size(); ++j) {
        if (candidates[i]->versions[j].name == version) return chosen[i][j].count;
      }
    }
    return nullptr;
  }
};

Report ChosenReport(const Choice& choice) {
  Report models;
  for (size_t i = 0; i < choice.candidates.size(); ++i) {
    Report versions;
    for (size_t j = 0; j < choice.chosen[i].size(); ++j) {
      versions.Add(choice.candidates[i]->versions[j].name, choice.chosen[i][j].count->value());
    }
    models.Add(choice.candidates[i]->model, std::move(versions));
  }
  return models;
}

// The version that the caller named, of the first candidate that has it.
Decision Named(std::string_view version, const std::vector<const Candidate*>& candidates) {
  for (const Candidate* candidate : candidates) {
    for (const Arm& arm : candidate->versions) {
      if (arm.name == version) return {candidate, &arm};
    }
  }
  return {};
}

std::string VersionNames(const std::vector<const Candidate*>& candidates) {
  std::string names;
  for (const Candidate* candidate : candidates) {
    for (const Arm& arm : candidate->versions) {
      if (!names.empty()) names += ", ";
      names += candidate->model + " " + arm.name;
    }
  }
  return names.empty() ? "none" : names;
}

void RecordChoice(const Choice& choice, const Chosen& chosen, const InferCall& call, TimeNs began,
                  TimeNs now) {
  telemetry::SpanRecord record =
      telemetry::PartOf(call.trace, telemetry::Stage::kSelection, ErrorKind::kOk, began, now);
  record.application = choice.name;
  record.model = chosen.model;
  record.version = chosen.version;
  telemetry::SpanRing::OfThisThread()->Record(record);
}

Status NobodyAnswers(std::string_view version, const Choice& choice) {
  if (!version.empty()) {
    return NotFound("'" + choice.application + "' has no version '" + std::string(version) +
                    "' (versions: " + VersionNames(choice.candidates) + ")");
  }
  return Status(ErrorKind::kFailedPrecondition,
                "no model of application '" + choice.application +
                    "' has a version that takes traffic (versions: " +
                    VersionNames(choice.candidates) + ")");
}

}  // namespace

struct Selector::Snapshot {
  int64_t revision = 0;
  std::vector<std::unique_ptr<Candidate>> models;
  std::unordered_map<std::string_view, const Candidate*> by_model;
  std::vector<std::unique_ptr<Choice>> choices;
  std::unordered_map<std::string_view, const Choice*> by_application;
};

Selector::Selector(net::LoopThreads& loops, std::shared_ptr<InferService> next,
                   std::unique_ptr<const selection::Policy> policy, const Clock& clock)
    : next_(std::move(next)), policy_(std::move(policy)), clock_(clock),
      snapshot_(loops, std::make_shared<Snapshot>()) {}

Selector::~Selector() = default;

Status Selector::Publish(const std::vector<Application>& applications,
                         const std::vector<Route>& routes, int64_t revision) {
  const std::shared_ptr<const Snapshot> old = snapshot_.Latest();
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = revision;
  for (const Route& route : routes) {
    auto model = std::make_unique<Candidate>();
    model->model = route.model;
    model->salt = route.salt;
    for (const auto& [version, weight] : route.versions) {
      if (!(weight >= 0)) {
        return InvalidArgument("route of model '" + route.model + "': weight of version '" +
                               version + "' must be 0 or more");
      }
      model->versions.push_back({version, weight});
    }
    if (!snapshot->by_model.emplace(model->model, model.get()).second) {
      return InvalidArgument("the route of model '" + route.model + "' is given twice");
    }
    snapshot->models.push_back(std::move(model));
  }
  for (const Application& application : applications) {
    auto choice = std::make_unique<Choice>();
    choice->application = application.name;
    choice->name = telemetry::Names::Get().Intern(application.name);
    choice->objective = application.objective;
    for (const std::string& model : application.models) {
      const auto routed = snapshot->by_model.find(model);
      if (routed != snapshot->by_model.end()) choice->candidates.push_back(routed->second);
    }
    const auto known = old->by_application.find(application.name);
    const Choice* before = known != old->by_application.end() ? known->second : nullptr;
    choice->counts = before != nullptr ? before->counts : std::make_shared<Counts>();
    for (const Candidate* candidate : choice->candidates) {
      std::vector<Chosen>& versions = choice->chosen.emplace_back();
      const telemetry::NameId model = telemetry::Names::Get().Intern(candidate->model);
      for (const Arm& arm : candidate->versions) {
        SharedCounter kept = before != nullptr ? before->Find(candidate->model, arm.name) : nullptr;
        if (kept == nullptr) kept = std::make_shared<telemetry::Counter>();
        versions.push_back({std::move(kept), model, telemetry::Names::Get().Intern(arm.name)});
      }
    }
    if (!snapshot->by_application.emplace(choice->application, choice.get()).second) {
      return InvalidArgument("application '" + application.name + "' is given twice");
    }
    snapshot->choices.push_back(std::move(choice));
  }
  snapshot_.Publish(std::move(snapshot));
  return Status::Ok();
}

void Selector::Infer(InferCall call) {
  const bool recorded = call.trace.sampled() && telemetry::SpanRing::OfThisThread() != nullptr;
  const TimeNs began = recorded ? clock_.Now() : 0;
  const std::shared_ptr<const Snapshot>& snapshot = snapshot_.Get(call.loop());
  InferRequest& request = call.request();
  const auto found = snapshot->by_application.find(request.application);
  if (found == snapshot->by_application.end()) {
    InferResponse unknown = InferResponse::Unknown(
        "unknown application '" + std::string(request.application) + "' (" +
            std::to_string(snapshot->by_application.size()) + " known)",
        snapshot->revision);
    nameless_.Add(unknown.status.kind());
    call.Finish(std::move(unknown));
    return;
  }
  const Choice& choice = *found->second;
  choice.counts->requests.Add();
  Decision decision;
  if (request.version.empty()) {
    decision = policy_->Select({request.context, Spread(request.prediction), &choice.candidates});
  } else {
    decision = Named(request.version, choice.candidates);
  }
  if (decision.version == nullptr) {
    Status nobody = NobodyAnswers(request.version, choice);
    choice.counts->refused.Add(nobody.kind());
    call.Finish(InferResponse::Error(std::move(nobody)));
    return;
  }
  const Chosen& chosen = choice.Find(decision);
  chosen.count->Add();
  if (recorded) RecordChoice(choice, chosen, call, began, clock_.Now());
  request.model = decision.candidate->model;
  request.version = decision.version->name;
  request.keep_alive = snapshot;
  if (call.deadline() == kNever) call.set_deadline(clock_.Now() + choice.objective);
  next_->Infer(std::move(call));
}

Report Selector::Stats() const {
  const std::shared_ptr<const Snapshot> snapshot = snapshot_.Latest();
  Report applications;
  for (const auto& choice : snapshot->choices) {
    Report counts;
    counts.Add("requests", choice->counts->requests.value())
        .Add("refused", choice->counts->refused.ToReport())
        .Add("chosen", ChosenReport(*choice));
    applications.Add(choice->application, std::move(counts));
  }
  Report report;
  report.Add("revision", static_cast<uint64_t>(snapshot->revision))
      .Add("applications", std::move(applications))
      .Add("nameless", nameless_.ToReport());
  return report;
}

}  // namespace skysail::services
