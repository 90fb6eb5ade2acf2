// Sticky choices without memory: the same key always meets the same arm, whoever computes it.
//
// Both are rendezvous (highest random weight) hashing: every arm draws a score from the hash of
// (key, arm), and the best score wins. So when arms come, go or change weight, only the keys move
// that must. Pure functions; O(arms), no allocation.
#ifndef SKYSAIL_SELECTION_WEIGHTED_H_
#define SKYSAIL_SELECTION_WEIGHTED_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skysail::selection {

struct Arm {
  std::string name;
  double weight = 0;  // >= 0; shares are weight / sum of weights
};

inline constexpr size_t kNoArm = SIZE_MAX;

// The index of the arm for `key`, chosen in proportion to the weights; kNoArm when none is
// positive. `salt` makes splits independent of each other: equal keys under other salts fall
// elsewhere.
size_t SplitByWeight(std::string_view key, std::string_view salt, const std::vector<Arm>& arms);

// The endpoint for `key`, each with an equal share; kNoArm when there is none.
size_t RendezvousPick(std::string_view key, const std::vector<std::string_view>& endpoints);

}  // namespace skysail::selection

#endif  // SKYSAIL_SELECTION_WEIGHTED_H_
