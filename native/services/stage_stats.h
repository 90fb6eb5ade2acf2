// Where the time of an application's calls went, by the version that answered.
#ifndef SKYSAIL_SERVICES_STAGE_STATS_H_
#define SKYSAIL_SERVICES_STAGE_STATS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "services/infer_call.h"
#include "services/report.h"
#include "telemetry/histogram.h"

namespace skysail::services {

// Thread-safe, without locks; looking a version up takes time in proportion to how many there were.
class StageStats {
 public:
  StageStats() = default;
  ~StageStats();
  StageStats(const StageStats&) = delete;
  StageStats& operator=(const StageStats&) = delete;

  // A call that a version answered; `total` from its arrival to its answer. What its stages leave of that was
  // spent in the services. A hit passed no stage but the hops. Those of a version for which there is no room
  // count nowhere.
  void Record(const InferResponse& response, TimeNs total);
  // No version that has yet to answer has room here.
  bool full() const { return size_.load(std::memory_order_relaxed) >= kMostVersions; }
  // {model {version {stage, a distribution of seconds}}}
  Report ToReport() const;

 private:
  static constexpr size_t kMostVersions = 32;
  static constexpr size_t kStages = 6;
  static const std::array<const char*, kStages> kStageNames;

  struct Node {
    Node(std::string_view model, std::string_view version) : model(model), version(version) {}
    const std::string model, version;
    std::array<telemetry::Histogram, kStages> spent_ns;
    Node* next = nullptr;
  };
  // Null when there is no room for it.
  Node* Find(std::string_view model, std::string_view version);

  std::atomic<Node*> head_{nullptr};  // nodes are put before it and stay
  std::atomic<size_t> size_{0};
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_STAGE_STATS_H_
