// When a loop polls for its next event instead of sleeping, and for how long.
//
// To wake a thread that sleeps on an idle core takes about 20 microseconds, and one lone call is hardly
// more than such waits. A loop that polls needs no waking; but it holds a core, and where somebody else
// needs that core to make the very event, polling makes the wait longer. So a loop polls only
// * while the cores that it may use are idle for part of the time all the same, so that nobody pays for it;
// * for waits that are usually short: others have little to gain and cost much. Waits with calls under way
//   (for an answer) and without (for the next call) are told apart; those that it sleeps through teach too;
// * while fewer calls are under way on it than there are cores, and have been for some time: more keep the
//   cores busy anyway;
// * while polling in vain has taken no more than a twentieth of the time.
//
// A pure state machine: no clock, no thread.
#ifndef SKYSAIL_NET_POLLING_H_
#define SKYSAIL_NET_POLLING_H_

#include <algorithm>
#include <array>

#include "base/clock.h"

namespace skysail::net {

class Polling {
 public:
  static constexpr int kInVainShare = 20;  // one part of so many may be polled in vain
  static constexpr int kSpareShare = 5;    // one part of a core's time must be idle, of so many
  static constexpr TimeNs kLookEvery = 200 * kMillisecond;  // at how idle the cores are
  static constexpr TimeNs kQuiet = 10 * kMillisecond;  // without many calls, before it polls again

  // Never polls.
  Polling() : Polling(0, 1) {}
  // `window`: the longest usual wait that may be polled through; 0 never polls. `cores`: that this
  // process may use.
  Polling(TimeNs window, int cores)
      : window_(cores > 1 ? window : 0), cores_(cores), allowance_(MostAllowed()) {}

  // Whether a wait at about `now`, an instant of the monotonic clock, with so many calls under way is of
  // interest, to be polled through or learned from.
  bool Considers(TimeNs now, int calls) {
    if (window_ == 0) return false;
    if (calls >= cores_) quiet_from_ = now + kQuiet;
    return now >= quiet_from_;
  }

  // Whether it is time to tell how idle the cores are. Requires that it considers the wait at `now`.
  bool WantsIdleTime(TimeNs now) const { return now - looked_ >= kLookEvery; }
  // For how long the cores, together, have been idle ever.
  void TellIdleTime(TimeNs now, TimeNs idle) {
    // After a longer time it says nothing about now.
    spare_ = now - looked_ < 4 * kLookEvery && (idle - idle_) * kSpareShare >= now - looked_;
    looked_ = now;
    idle_ = idle;
  }

  // How long to poll from `now` on; 0 to sleep at once. Requires that it considers the wait.
  TimeNs Window(TimeNs now, int calls) {
    allowance_ = std::min(MostAllowed(), allowance_ + (now - at_) / kInVainShare);
    at_ = now;
    const TimeNs usual = usual_[Kind(calls)];
    const TimeNs window = usual + window_ / 2;
    return spare_ && usual <= window_ && window <= allowance_ ? window : 0;
  }

  // A wait is over. It took so long, of which so much was polled in vain.
  void Waited(int calls, TimeNs took, TimeNs in_vain) {
    TimeNs& usual = usual_[Kind(calls)];
    usual += (std::min(took, 4 * window_) - usual) / 8;  // a longer one tells nothing more
    allowance_ -= in_vain;
    in_vain_ += in_vain;
  }

  int cores() const { return cores_; }
  // How long was polled in vain, ever.
  TimeNs in_vain() const { return in_vain_; }

 private:
  static int Kind(int calls) { return calls > 0 ? 1 : 0; }
  TimeNs MostAllowed() const { return 4 * window_; }

  TimeNs window_;
  int cores_;
  bool spare_ = false;  // the cores were idle for part of the time
  TimeNs looked_ = -4 * kLookEvery, idle_ = 0;
  TimeNs quiet_from_ = 0;
  TimeNs allowance_;  // that was left for polling in vain
  TimeNs at_ = 0;     // then
  TimeNs in_vain_ = 0;
  std::array<TimeNs, 2> usual_{};  // how long waits took of late, without and with calls under way
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_POLLING_H_
