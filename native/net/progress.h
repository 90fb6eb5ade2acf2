// Whether something that is owed goes on at all: a message that has begun, answers that wait to be taken. Pure.
#ifndef SKYSAIL_NET_PROGRESS_H_
#define SKYSAIL_NET_PROGRESS_H_

#include <cstddef>

#include "base/clock.h"

namespace skysail::net {

class Progress {
 public:
  // Less than this in all the time that is allowed is a trickle.
  static constexpr size_t kWorthwhileBytes = 1024;

  void Add(size_t bytes) { bytes_ += bytes; }
  // Something came to its end.
  void Complete() { bytes_ = kWorthwhileBytes; }

  // To be asked from time to time: whether something was `owed` each time for `timeout` (0: for ever is right), and
  // nothing worthwhile came of it. Never early; late by up to two such times.
  bool Stalled(bool owed, TimeNs now, TimeNs timeout) {
    const bool goes_on = !owed || bytes_ >= kWorthwhileBytes;
    if (goes_on || since_ == kNever) {
      since_ = goes_on ? kNever : now;
      bytes_ = 0;
      return false;
    }
    return timeout != 0 && now - since_ >= timeout;
  }

 private:
  TimeNs since_ = kNever;  // owed since then
  size_t bytes_ = 0;       // that have come of it
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_PROGRESS_H_
