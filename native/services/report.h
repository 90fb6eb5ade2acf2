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

class Report {
 public:
  using Value = std::variant<uint64_t, double, std::string, Report>;
  using Entry = std::pair<std::string, Value>;

  // Adds an entry and returns the tree, so that calls chain.
  Report& Add(std::string name, uint64_t value) { return Push(std::move(name), value); }
  Report& Add(std::string name, double value) { return Push(std::move(name), value); }
  Report& Add(std::string name, std::string value) {
    return Push(std::move(name), std::move(value));
  }
  Report& Add(std::string name, Report value) { return Push(std::move(name), std::move(value)); }
  // count, sum, p50, p95, p99 of a histogram of nanoseconds, in seconds.
  Report& AddSeconds(std::string name, const telemetry::Histogram& histogram);
  // The same of a histogram of plain numbers.
  Report& AddDistribution(std::string name, const telemetry::Histogram& histogram);

  const std::vector<Entry>& entries() const { return entries_; }
  // The entry of that name, or null.
  const Value* Find(const std::string& name) const;

 private:
  Report& Push(std::string name, Value value);
  std::vector<Entry> entries_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_REPORT_H_
