// Which model and version answers a call. The seam at which policies plug into the selector.
#ifndef SKYSAIL_SELECTION_POLICY_H_
#define SKYSAIL_SELECTION_POLICY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "selection/weighted.h"

namespace skysail::selection {

// A model that may answer, with its route: what share of its traffic goes to which version.
struct Candidate {
  std::string model;
  std::vector<Arm> versions;  // names are versions
  std::string salt;           // empty: the model's name
};

// What a policy may look at. A frozen snapshot: everything outlives the call to Select.
struct PolicyCall {
  std::string_view context;  // for whom; may be empty
  uint64_t chance = 0;  // uniform random bits, drawn by the caller: decides where no context does
  const std::vector<const Candidate*>* candidates = nullptr;  // of the application, in its order
};

// Points into the candidates; both null when none can answer.
struct Decision {
  const Candidate* candidate = nullptr;
  const Arm* version = nullptr;
};

// Pure: the same call and snapshot give the same decision. Thread-safe.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual Decision Select(const PolicyCall& call) const = 0;
};

// The first candidate that has a version with traffic; the version by weight, sticky by context.
class FirstModelPolicy final : public Policy {
 public:
  Decision Select(const PolicyCall& call) const override;
};

}  // namespace skysail::selection

#endif  // SKYSAIL_SELECTION_POLICY_H_
