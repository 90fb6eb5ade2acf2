#include "net/peer_clock.h"

namespace skysail::net {
namespace {

// How often something is looked at within the time that it may take.
constexpr TimeNs kLooksPerLimit = 4;

TimeNs LookInterval(const PeerLimits& limits) {
  TimeNs shortest = limits.incomplete_timeout;
  for (const TimeNs limit : {limits.untaken_timeout, limits.idle_timeout}) {
    if (limit != 0) shortest = std::min(shortest, limit);
  }
  return std::max<TimeNs>(shortest / kLooksPerLimit, 1);
}

}  // namespace

PeerClock::PeerClock(const PeerLimits& limits, bool ping_when_idle)
    : limits_(limits), ping_when_idle_(ping_when_idle), look_interval_(LookInterval(limits)) {}

void PeerClock::Start(TimeNs now) { begun_ = heard_ = idle_since_ = now; }

void PeerClock::Ready(TimeNs now) {
  ready_ = true;
  if (idle_since_ != kNever) idle_since_ = now;
}

TimeNs PeerClock::IdleEnd() const {
  const bool counts = limits_.idle_timeout != 0 && idle_since_ != kNever && !draining_;
  return counts ? After(idle_since_, limits_.idle_timeout) : kNever;
}

TimeNs PeerClock::OldAt() const {
  return limits_.max_connection_age != 0 && !draining_ ? After(begun_, limits_.max_connection_age) : kNever;
}

PeerClock::Due PeerClock::Check(TimeNs now) {
  if (end_at_ != kNever) return now >= end_at_ ? Due::kEnd : Due::kNothing;
  if (!ready_) return now - begun_ >= limits_.handshake_timeout ? Due::kSlowHandshake : Due::kNothing;
  if (now >= last_stream_at_) return Due::kLastStream;
  if (now >= look_at_) {
    look_at_ = kNever;
    return Due::kLook;
  }
  if (MayAsk()) {
    if (pinged_ && now >= ping_due_) return Due::kVanished;
    if (!pinged_ && now - heard_ >= limits_.keepalive_interval) {
      pinged_ = true;
      ping_due_ = now + limits_.keepalive_timeout;
      return Due::kPing;
    }
  }
  if (now >= IdleEnd()) return Due::kIdle;
  if (now >= OldAt()) return Due::kOld;
  return Due::kNothing;
}

TimeNs PeerClock::Next() const {
  if (end_at_ != kNever) return end_at_;
  if (!ready_) return begun_ + limits_.handshake_timeout;
  TimeNs next = std::min({last_stream_at_, look_at_, IdleEnd(), OldAt()});
  if (MayAsk()) next = std::min(next, pinged_ ? ping_due_ : heard_ + limits_.keepalive_interval);
  return next;
}

}  // namespace skysail::net
