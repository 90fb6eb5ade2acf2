#include "services/report.h"

namespace skysail::services {

Report& Report::Push(std::string name, Value value) {
  entries_.emplace_back(std::move(name), std::move(value));
  return *this;
}

const Report::Value* Report::Find(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

}  // namespace skysail::services
