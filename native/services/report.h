// A snapshot of counters as a tree of names and numbers, for whoever shows or exports them. Built
// on demand, never on the request path.
#ifndef SKYSAIL_SERVICES_REPORT_H_
#define SKYSAIL_SERVICES_REPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "telemetry/histogram.h"

namespace skysail::services {

// What a histogram held, and what one of its whole numbers is worth: 1e-9 where nanoseconds are told as
// seconds.
struct Distribution {
  telemetry::Histogram::Snapshot seen;
  double unit = 1;
};

class Report {
 public:
  using Value = std::variant<uint64_t, double, std::string, Distribution, Report>;
  using Entry = std::pair<std::string, Value>;

  // Adds an entry and returns the tree, so that calls chain.
  Report& Add(std::string name, uint64_t value) { return Push(std::move(name), value); }
  Report& Add(std::string name, double value) { return Push(std::move(name), value); }
  Report& Add(std::string name, std::string value) {
    return Push(std::move(name), std::move(value));
  }
  Report& Add(std::string name, Report value) { return Push(std::move(name), std::move(value)); }
  // Of nanoseconds, told as seconds.
  Report& AddSeconds(std::string name, telemetry::Histogram::Snapshot seen) {
    return Push(std::move(name), Distribution{std::move(seen), 1e-9});
  }
  // Of plain numbers.
  Report& AddDistribution(std::string name, telemetry::Histogram::Snapshot seen) {
    return Push(std::move(name), Distribution{std::move(seen), 1});
  }

  const std::vector<Entry>& entries() const { return entries_; }
  // The entry of that name, or null.
  const Value* Find(const std::string& name) const;

 private:
  Report& Push(std::string name, Value value);
  std::vector<Entry> entries_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_REPORT_H_
