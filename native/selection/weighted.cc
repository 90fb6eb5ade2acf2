#include "selection/weighted.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cmath>

namespace skysail::selection {
namespace {

uint64_t Hash(std::string_view text, uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}

// In (0, 1), ends excluded, so that its logarithm is finite and not zero.
double Uniform(uint64_t hash) { return (static_cast<double>(hash >> 11) + 0.5) * 0x1.0p-53; }

}  // namespace

size_t SplitByWeight(std::string_view key, std::string_view salt, const std::vector<Arm>& arms) {
  uint64_t seed = Hash(key, Hash(salt, 0));
  size_t best = kNoArm;
  double best_score = 0;
  for (size_t i = 0; i < arms.size(); ++i) {
    if (!(arms[i].weight > 0)) continue;
    // -ln(u) / weight is an exponential draw of that rate; the first to ring wins in proportion.
    double score = arms[i].weight / -std::log(Uniform(Hash(arms[i].name, seed)));
    if (best == kNoArm || score > best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

size_t RendezvousPick(std::string_view key, const std::vector<std::string_view>& endpoints) {
  uint64_t seed = Hash(key, 0);
  size_t best = kNoArm;
  uint64_t best_score = 0;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    uint64_t score = Hash(endpoints[i], seed);
    // Equal scores go to the lesser name, whatever the order of the list.
    if (best == kNoArm || score > best_score ||
        (score == best_score && endpoints[i] < endpoints[best])) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

}  // namespace skysail::selection
