// What passing time asks of one connection: when the peer has been silent, idle or slow for too long. Pure: told of
// events with their time, asked from time to time what is due. Not thread-safe.
//
// Nothing is armed for a frame or a call: an event leaves a mark, and whoever holds the one timer of the connection
// looks at the marks when it fires. Heard and Idle never make anything due much before Next() as it was.
#ifndef SKYSAIL_NET_PEER_CLOCK_H_
#define SKYSAIL_NET_PEER_CLOCK_H_

#include <algorithm>

#include "base/clock.h"
#include "net/peer_limits.h"

namespace skysail::net {

class PeerClock {
 public:
  enum class Due {
    kNothing,
    kSlowHandshake,  // the peer has not said in time that it speaks HTTP/2
    kPing,           // it is to be asked whether it is there
    kVanished,       // and has not answered
    kIdle,           // no calls for long: it is to go
    kOld,            // connected for long: likewise
    kLook,           // what is owed may have stalled
    kLastStream,     // a draining peer has not answered a PING: the last stream is named without it
    kEnd,            // a connection that is over is closed
  };

  // `ping_when_idle`: a peer is asked although no call is open.
  PeerClock(const PeerLimits& limits, bool ping_when_idle);

  void Start(TimeNs now);  // setting up begins
  void Ready(TimeNs now);  // and is over
  void Heard(TimeNs now) {
    heard_ = now;
    pinged_ = false;
  }
  // The first call after none; the last.
  void Busy(TimeNs now) {
    idle_since_ = kNever;
    // One that was never asked while idle is given half an interval before it is doubted.
    if (!ping_when_idle_) heard_ = std::max(heard_, now - limits_.keepalive_interval / 2);
  }
  void Idle(TimeNs now) { idle_since_ = now; }
  // Something may stall from now on: a look is due soon, and again if this is said again then.
  bool Watch(TimeNs now) {
    if (look_at_ != kNever) return false;
    look_at_ = now + look_interval_;
    return true;
  }
  void Drain(TimeNs answer_by) {
    draining_ = true;
    last_stream_at_ = answer_by;
  }
  void LastStreamNamed() { last_stream_at_ = kNever; }
  void Leave(TimeNs end) { end_at_ = end; }

  // One thing that is due, if any; it is not due again unless time or an event makes it so.
  Due Check(TimeNs now);
  // When something may be due: Check then. kNever: not before another event.
  TimeNs Next() const;

 private:
  bool MayAsk() const {
    return limits_.keepalive_interval != 0 && (ping_when_idle_ || idle_since_ == kNever);
  }
  TimeNs IdleEnd() const;
  TimeNs OldAt() const;

  // Constant after construction.
  const PeerLimits& limits_;
  const bool ping_when_idle_;
  const TimeNs look_interval_;

  bool ready_ = false;
  bool draining_ = false;
  bool pinged_ = false;
  TimeNs begun_ = 0;
  TimeNs heard_ = 0;
  TimeNs ping_due_ = 0;         // the answer to it, if pinged_
  TimeNs idle_since_ = 0;  // kNever: calls are open
  TimeNs look_at_ = kNever;
  TimeNs last_stream_at_ = kNever;
  TimeNs end_at_ = kNever;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_PEER_CLOCK_H_
