#include "services/stage_stats.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

namespace skysail::services {

const std::array<const char*, StageStats::kStages> StageStats::kStageNames{
    "services", "queue", "fill", "hop", "staged", "model"};

StageStats::~StageStats() {
  const Node* node = head_.load(std::memory_order_acquire);
  while (node != nullptr) {
    const std::unique_ptr<const Node> gone(node);
    node = gone->next;
  }
}

StageStats::Node* StageStats::Find(std::string_view model, std::string_view version) {
  Node* head = head_.load(std::memory_order_acquire);
  std::unique_ptr<Node> made;
  const Node* searched = nullptr;  // from here on all have been looked at
  while (true) {
    for (Node* node = head; node != searched; node = node->next) {
      if (node->version != version || node->model != model) continue;
      if (made != nullptr) size_.fetch_sub(1, std::memory_order_relaxed);  // another thread was first
      return node;
    }
    if (made == nullptr) {
      if (size_.fetch_add(1, std::memory_order_relaxed) >= kMostVersions) {
        size_.fetch_sub(1, std::memory_order_relaxed);
        return nullptr;
      }
      made = std::make_unique<Node>(model, version);
    }
    searched = head;
    made->next = head;
    if (head_.compare_exchange_weak(head, made.get(), std::memory_order_acq_rel)) return made.release();
  }
}

void StageStats::Record(const InferResponse& response, TimeNs total) {
  Node* node = Find(response.model, response.version);
  if (node == nullptr) return;
  const Timing& timing = response.timing;
  const std::array<uint64_t, kStages> spent_us{0,
                                               timing.queue_us,
                                               timing.fill_us,
                                               timing.hop_us,
                                               timing.staged_us,
                                               timing.model_us};
  TimeNs left = total;
  for (const uint64_t us : spent_us) left -= static_cast<TimeNs>(us) * kMicrosecond;
  node->spent_ns[0].Record(static_cast<uint64_t>(std::max<TimeNs>(left, 0)));
  for (size_t stage = 1; stage < kStages; ++stage) {
    if (spent_us[stage] > 0 || response.cache != CacheOutcome::kHit) {
      node->spent_ns[stage].Record(spent_us[stage] * kMicrosecond);
    }
  }
}

Report StageStats::ToReport() const {
  std::map<std::string, Report> models;
  for (const Node* node = head_.load(std::memory_order_acquire); node != nullptr; node = node->next) {
    Report stages;
    for (size_t stage = 0; stage < kStages; ++stage) {
      stages.AddSeconds(kStageNames[stage], node->spent_ns[stage].snapshot());
    }
    models[node->model].Add(node->version, std::move(stages));
  }
  Report report;
  for (auto& [model, versions] : models) report.Add(model, std::move(versions));
  return report;
}

}  // namespace skysail::services
