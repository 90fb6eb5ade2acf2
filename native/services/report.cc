#include "services/report.h"

namespace skysail::services {
namespace {

Report Quantiles(const telemetry::Histogram& histogram, double unit) {
  const telemetry::Histogram::Snapshot seen = histogram.snapshot();
  Report report;
  report.Add("count", seen.count)
      .Add("sum", static_cast<double>(seen.sum) * unit)
      .Add("p50", static_cast<double>(seen.Quantile(0.50)) * unit)
      .Add("p95", static_cast<double>(seen.Quantile(0.95)) * unit)
      .Add("p99", static_cast<double>(seen.Quantile(0.99)) * unit);
  return report;
}

}  // namespace

Report& Report::Push(std::string name, Value value) {
  entries_.emplace_back(std::move(name), std::move(value));
  return *this;
}

Report& Report::AddSeconds(std::string name, const telemetry::Histogram& histogram) {
  return Push(std::move(name), Quantiles(histogram, 1e-9));
}

Report& Report::AddDistribution(std::string name, const telemetry::Histogram& histogram) {
  return Push(std::move(name), Quantiles(histogram, 1.0));
}

const Report::Value* Report::Find(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

}  // namespace skysail::services
