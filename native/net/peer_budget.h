// What one peer has made us do, against what it may. Pure: told of frames as their heads come, and of
// what we sent, with the time; says which offence that makes, if any. Not thread-safe.
//
// Two things are legal in any number: calls that are answered, and what these need. So every answered call
// pays for one that is broken off, and every frame that we send for a call pays for the control frames that
// it may bring about; the rest is paid for by time. A call that begins pays for updates of its window as well:
// clients open it before there is an answer, and thousands may begin at once. A frame of a call costs a few instructions here.
#ifndef SKYSAIL_NET_PEER_BUDGET_H_
#define SKYSAIL_NET_PEER_BUDGET_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "net/frame_scanner.h"
#include "net/offence.h"
#include "net/peer_limits.h"
#include "net/rate_budget.h"

namespace skysail::net {

// A header block, as it is sent or unpacked, of so many times the limit for metadata is no mistake.
inline constexpr size_t kHeaderBombFactor = 4;

class PeerBudget {
 public:
  explicit PeerBudget(const PeerLimits& limits);

  Offence OnFrame(const FrameHead& frame, TimeNs now) {
    if (frame.type == NGHTTP2_DATA && HoldsSomething(frame)) return Offence::kNone;
    if (frame.type == NGHTTP2_HEADERS && (frame.flags & NGHTTP2_FLAG_END_HEADERS) != 0) {
      ++begun_;
      return Offence::kNone;
    }
    return OnRareFrame(frame, now);
  }
  // The unpacked size of a header block that is being received.
  Offence OnHeaderBytes(size_t bytes) const {
    return bytes > most_header_bytes_ ? Offence::kHeaderBomb : Offence::kNone;
  }
  // We reset a stream for what the peer did to it.
  Offence OnResetSent(TimeNs now) { return SpendReset(now); }
  void OnAnswered() { ++answered_; }
  // A frame of a call was sent, DATA as large as there was something to say.
  void OnFrameSent() { ++sent_; }

 private:
  // Padding is at most 255 bytes and its length.
  static constexpr uint32_t kMostPadding = 256;
  static bool HoldsSomething(const FrameHead& data) {
    return data.length > kMostPadding ||
           (data.length > 0 && (data.flags & NGHTTP2_FLAG_PADDED) == 0);
  }
  // A peer may give credit for each frame, and for each call, in several pieces, for the stream and the
  // connection.
  static constexpr uint64_t kWindowUpdatesPerFrame = 10;

  struct Kind {
    RateBudget budget;
    uint64_t paid = 0;  // of what was earned, as of the last event
  };

  Offence OnRareFrame(const FrameHead& frame, TimeNs now);
  Offence OnHeaderBlock(const FrameHead& frame);
  Offence SpendReset(TimeNs now);
  Offence SpendControl(Kind* kind, uint64_t earned, TimeNs now, Offence offence);

  // Constant after construction.
  const Rate reset_rate_;
  const Rate control_rate_;
  const size_t most_header_bytes_;

  uint64_t answered_ = 0;
  uint64_t begun_ = 0;  // header blocks
  uint64_t sent_ = 0;
  Kind resets_, pings_, settings_, window_updates_, useless_;
  size_t block_bytes_ = 0;  // of the header block that has begun, as sent
  size_t block_frames_ = 0;
};

}  // namespace skysail::net

#endif  // SKYSAIL_NET_PEER_BUDGET_H_
