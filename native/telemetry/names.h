// Names that spans bear, as small numbers: of applications, models, versions and replicas.
//
// A name gets its number when configuration is published, so that a span on the request path is written without
// looking anything up. Numbers are never given anew, and there are 65,535 at most: what comes later is "(other)".
#ifndef SKYSAIL_TELEMETRY_NAMES_H_
#define SKYSAIL_TELEMETRY_NAMES_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skysail::telemetry {

using NameId = uint16_t;  // 0: none

// Thread-safe. O(log n), with a lock.
class Names {
 public:
  explicit Names(size_t most = 65535) : most_(most) {}
  // The process-wide instance.
  static Names& Get();

  // The number of a name, the same each time; 0 for an empty one.
  NameId Intern(std::string_view name);
  // The name of a number; empty for 0.
  std::string Find(NameId id) const;

 private:
  const size_t most_;
  mutable std::mutex mu_;
  std::map<std::string, NameId, std::less<>> ids_;  // guarded by mu_
  std::vector<std::string> names_{"", "(other)"};   // guarded by mu_; by number
};

}  // namespace skysail::telemetry

#endif  // SKYSAIL_TELEMETRY_NAMES_H_
