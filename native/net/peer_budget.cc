#include "net/peer_budget.h"

#include <utility>

namespace skysail::net {
namespace {

// What a peer may cut a header block into, beside the frames that its size needs.
constexpr size_t kSpareContinuations = 8;
constexpr size_t kFullFrameBytes = 16 << 10;

Rate PerSecond(uint32_t per_s, uint32_t burst) { return {kSecond / per_s, burst}; }

}  // namespace

PeerBudget::PeerBudget(const PeerLimits& limits)
    : reset_rate_(PerSecond(limits.max_resets_per_s, limits.max_reset_burst)),
      control_rate_(PerSecond(limits.max_controls_per_s, limits.max_control_burst)),
      most_header_bytes_(limits.max_metadata_bytes * kHeaderBombFactor) {}

Offence PeerBudget::OnRareFrame(const FrameHead& frame, TimeNs now) {
  switch (frame.type) {
    case NGHTTP2_DATA:  // empty, or it may be
      if ((frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) return Offence::kNone;
      return SpendControl(&useless_, sent_, now, Offence::kUselessFrameFlood);
    case NGHTTP2_HEADERS:
    case NGHTTP2_PUSH_PROMISE:
      ++begun_;
      block_bytes_ = block_frames_ = 0;
      return OnHeaderBlock(frame);
    case NGHTTP2_CONTINUATION:
      ++block_frames_;
      return OnHeaderBlock(frame);
    case NGHTTP2_RST_STREAM:
      return SpendReset(now);
    case NGHTTP2_PING:
      return SpendControl(&pings_, sent_, now, Offence::kPingFlood);
    case NGHTTP2_SETTINGS:
      return SpendControl(&settings_, sent_, now, Offence::kSettingsFlood);
    case NGHTTP2_WINDOW_UPDATE:
      return SpendControl(&window_updates_, (sent_ + begun_) * kWindowUpdatesPerFrame, now,
                          Offence::kWindowUpdateFlood);
    default:
      return SpendControl(&useless_, sent_, now, Offence::kUselessFrameFlood);
  }
}

Offence PeerBudget::OnHeaderBlock(const FrameHead& frame) {
  block_bytes_ += frame.length;
  const size_t most_frames = most_header_bytes_ / kFullFrameBytes + kSpareContinuations;
  const bool bomb = block_bytes_ > most_header_bytes_ || block_frames_ > most_frames;
  return bomb ? Offence::kHeaderBomb : Offence::kNone;
}

Offence PeerBudget::SpendReset(TimeNs now) {
  const uint64_t earned = answered_ - std::exchange(resets_.paid, answered_);
  return resets_.budget.Spend(reset_rate_, now, earned) ? Offence::kNone : Offence::kResetFlood;
}

Offence PeerBudget::SpendControl(Kind* kind, uint64_t earned, TimeNs now, Offence offence) {
  const uint64_t since = earned - std::exchange(kind->paid, earned);
  return kind->budget.Spend(control_rate_, now, since) ? Offence::kNone : offence;
}

}  // namespace skysail::net
