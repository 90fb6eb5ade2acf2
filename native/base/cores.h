// How many processors this process may keep busy.
#ifndef SKYSAIL_BASE_CORES_H_
#define SKYSAIL_BASE_CORES_H_

#include <functional>
#include <string>

#include "base/clock.h"

namespace skysail {

// The cores that its threads may run on, or as many as its control group's quota is worth where that is
// less (rounded down, at least 1). As it was when first asked; thread-safe.
int UsableCores();

// What the quotas of a control group and of those around it (version 2) are worth in cores, rounded down
// but at least 1; `most` when none is less. `group`: the text of /proc/self/cgroup; `root`: where
// the groups are mounted. What cannot be read limits nothing.
int CoresWithinQuota(const std::string& group, const std::string& root, int most);

// For how long the cores that the calling thread may run on have been idle, together, since the machine
// started; in steps of about 10 ms. 0 where the system does not tell.
TimeNs IdleTime();

// The same of the text of /proc/stat, for those cores that `usable` counts in.
TimeNs IdleTimeIn(const std::string& stat, const std::function<bool(int)>& usable);

}  // namespace skysail

#endif  // SKYSAIL_BASE_CORES_H_
