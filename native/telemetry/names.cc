#include "telemetry/names.h"

namespace skysail::telemetry {
namespace {

constexpr NameId kOther = 1;

}  // namespace

Names& Names::Get() {
  static Names names;
  return names;
}

NameId Names::Intern(std::string_view name) {
  if (name.empty()) return 0;
  std::lock_guard<std::mutex> lock(mu_);
  const auto known = ids_.find(name);
  if (known != ids_.end()) return known->second;
  if (names_.size() > most_) return kOther;
  const auto id = static_cast<NameId>(names_.size());
  names_.emplace_back(name);
  ids_.emplace(name, id);
  return id;
}

std::string Names::Find(NameId id) const {
  std::lock_guard<std::mutex> lock(mu_);
  return id < names_.size() ? names_[id] : std::string();
}

}  // namespace skysail::telemetry
