#include "base/cores.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>

namespace skysail {
namespace {

// "0::/a/b" is the line of version 2; the others are of version 1.
std::string GroupPath(const std::string& group) {
  std::istringstream lines(group);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("0::/", 0) == 0) return line.substr(3);
  }
  return "";
}

// cpu.max holds "QUOTA PERIOD" in microseconds, or "max PERIOD".
int WithinQuotaOf(const std::string& folder, int most) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) return most;
  return std::max(1, static_cast<int>(std::min<double>(most, quota / period)));
}

int Count() {
  cpu_set_t usable;
  const int cores = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : 1;
  std::ifstream file("/proc/self/cgroup");
  const std::string group{std::istreambuf_iterator<char>(file), {}};
  return CoresWithinQuota(group, "/sys/fs/cgroup", cores);
}

}  // namespace

int UsableCores() {
  static const int cores = Count();
  return cores;
}

TimeNs IdleTime() {
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof(usable), &usable) != 0) return 0;
  std::ifstream file("/proc/stat");
  const std::string stat{std::istreambuf_iterator<char>(file), {}};
  return IdleTimeIn(stat, [&usable](int core) { return CPU_ISSET(core, &usable); });
}

TimeNs IdleTimeIn(const std::string& stat, const std::function<bool(int)>& usable) {
  static const TimeNs tick = kSecond / sysconf(_SC_CLK_TCK);
  TimeNs idle = 0;
  std::istringstream lines(stat);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("cpu", 0) != 0) break;  // what follows is of no interest, and long
    int core = 0;
    int64_t user = 0, nice = 0, system = 0, ticks = 0;
    if (std::sscanf(line.c_str(), "cpu%d %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &core,
                    &user, &nice, &system, &ticks) == 5 &&
        usable(core)) {
      idle += ticks * tick;
    }
  }
  return idle;
}

int CoresWithinQuota(const std::string& group, const std::string& root, int most) {
  for (std::string path = GroupPath(group); !path.empty(); path.resize(path.rfind('/'))) {
    most = WithinQuotaOf(root + path, most);
  }
  return WithinQuotaOf(root, most);
}

}  // namespace skysail
