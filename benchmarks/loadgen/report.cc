#include "loadgen/report.h"

#include <cstdio>

namespace skysail::loadgen {
namespace {

std::string Number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

// Of a clock that counts from 1970, to the microsecond.
std::string Seconds(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6f", value);
  return text;
}

// JSON has no infinity: null stands for "never".
std::string Microseconds(uint64_t ns) {
  return ns == Histogram::kForever ? "null" : Number(static_cast<double>(ns) / 1e3);
}

}  // namespace

uint64_t Report::failed() const {
  uint64_t sum = 0;
  for (const auto& [name, count] : errors) sum += count;
  return sum;
}

std::string Report::ToJson() const {
  std::string json = "{\"mode\": \"";
  json += open_loop ? "open" : "closed";
  json += "\", \"ok\": " + std::to_string(ok) + ", \"all_ok\": " + std::to_string(all_ok) +
          ", \"failed\": " + std::to_string(failed()) + ", \"errors\": {";
  const char* separator = "";
  for (const auto& [name, count] : errors) {
    json += separator + ("\"" + name + "\": ") + std::to_string(count);
    separator = ", ";
  }
  json += "}, \"checked\": " + std::to_string(checked) + ", \"wrong\": " + std::to_string(wrong) +
          ", \"last_wrong_s\": " + (wrong == 0 ? "null" : Seconds(last_wrong_s)) +
          ", \"seconds\": " + Number(seconds) +
          ", \"rate\": " + Number(seconds > 0 ? static_cast<double>(ok) / seconds : 0) +
          ", \"latency_us\": {\"p50\": " + Microseconds(latency_ns.Percentile(0.5)) +
          ", \"p90\": " + Microseconds(latency_ns.Percentile(0.9)) +
          ", \"p99\": " + Microseconds(latency_ns.Percentile(0.99)) +
          ", \"p999\": " + Microseconds(latency_ns.Percentile(0.999)) +
          ", \"max\": " + Microseconds(latency_ns.max()) + "}, \"refused_p99_us\": " +
          (refused_ns.total() == 0 ? "null" : Microseconds(refused_ns.Percentile(0.99))) +
          ", \"cpu_s\": " + Number(cpu_s) + "}";
  return json;
}

}  // namespace skysail::loadgen
