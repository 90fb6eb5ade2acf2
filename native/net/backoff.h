// How long to wait before the next attempt to connect: exponential, with jitter so that callers of
// one restarted server do not come back together. Not thread-safe.
#ifndef SKYSAIL_NET_BACKOFF_H_
#define SKYSAIL_NET_BACKOFF_H_

#include <algorithm>
#include <cstdint>
#include <random>

#include "base/clock.h"

namespace skysail::net {

class Backoff {
 public:
  struct Options {
    TimeNs initial = 50 * kMillisecond;
    TimeNs max = 5 * kSecond;
    double multiplier = 1.6;
    double jitter = 0.2;  // a delay of d becomes one in [d (1 - jitter), d (1 + jitter)]
  };

  Backoff(const Options& options, uint64_t seed)
      : options_(options), next_(static_cast<double>(options.initial)), random_(seed) {}

  TimeNs Next() {
    std::uniform_real_distribution<double> factor(1 - options_.jitter, 1 + options_.jitter);
    const double delay = next_ * factor(random_);
    next_ = std::min(next_ * options_.multiplier, static_cast<double>(options_.max));
    return static_cast<TimeNs>(delay);
  }
  void Reset() { next_ = static_cast<double>(options_.initial); }

 private:
  const Options options_;
  double next_;
  std::mt19937_64 random_;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_BACKOFF_H_
