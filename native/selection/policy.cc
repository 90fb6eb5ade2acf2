#include "selection/policy.h"

namespace skysail::selection {

Decision FirstModelPolicy::Select(const PolicyCall& call) const {
  std::string_view chance(reinterpret_cast<const char*>(&call.chance), sizeof(call.chance));
  std::string_view key = call.context.empty() ? chance : call.context;
  for (const Candidate* candidate : *call.candidates) {
    std::string_view salt = candidate->salt.empty() ? candidate->model : candidate->salt;
    size_t arm = SplitByWeight(key, salt, candidate->versions);
    if (arm != kNoArm) return {candidate, &candidate->versions[arm]};
  }
  return {};
}

}  // namespace skysail::selection
