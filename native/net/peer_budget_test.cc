#include "net/peer_budget.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skysail::net {
namespace {

constexpr FrameHead kReset{4, NGHTTP2_RST_STREAM, 0};
constexpr FrameHead kPing{8, NGHTTP2_PING, 0};

PeerLimits Tight() {
  PeerLimits limits;
  limits.max_reset_burst = 3;
  limits.max_resets_per_s = 10;
  limits.max_control_burst = 2;
  limits.max_controls_per_s = 10;
  limits.max_metadata_bytes = 16 << 10;
  return limits;
}

TEST(PeerBudgetTest, BurstIsAllowedAndTimePaysForMore) {
  PeerBudget budget(Tight());
  TimeNs now = 5 * kSecond;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(budget.OnFrame(kReset, now), Offence::kNone);
  for (int i = 0; i < 100; ++i) {
    now += 100 * kMillisecond;
    EXPECT_EQ(budget.OnFrame(kReset, now), Offence::kNone) << i;
  }
  EXPECT_EQ(budget.OnFrame(kReset, now), Offence::kResetFlood);
}

TEST(PeerBudgetTest, LongSilenceEarnsOneBurstAndNoMore) {
  PeerBudget budget(Tight());
  const TimeNs now = 3600 * kSecond;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(budget.OnFrame(kReset, now), Offence::kNone);
  EXPECT_EQ(budget.OnFrame(kReset, now), Offence::kResetFlood);
}

TEST(PeerBudgetTest, EveryAnsweredCallPaysForOneThatIsBrokenOff) {
  PeerBudget budget(Tight());
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(budget.OnFrame(kReset, kSecond), Offence::kNone) << i;
    budget.OnAnswered();
  }
  // What a million answers have earned is a burst.
  for (int i = 0; i < 1'000'000; ++i) budget.OnAnswered();
  int more = 0;
  while (budget.OnFrame(kReset, kSecond) == Offence::kNone) ++more;
  EXPECT_LE(more, 3);
}

TEST(PeerBudgetTest, ResetsThatThePeerMakesUsSendCountLikeItsOwn) {
  PeerBudget budget(Tight());
  EXPECT_EQ(budget.OnResetSent(kSecond), Offence::kNone);
  EXPECT_EQ(budget.OnFrame(kReset, kSecond), Offence::kNone);
  EXPECT_EQ(budget.OnResetSent(kSecond), Offence::kNone);
  EXPECT_EQ(budget.OnResetSent(kSecond), Offence::kResetFlood);
}

TEST(PeerBudgetTest, KindsOfControlFramesHaveBudgetsOfTheirOwn) {
  PeerBudget budget(Tight());
  const std::vector<std::pair<FrameHead, Offence>> kinds = {
      {kPing, Offence::kPingFlood},
      {{6, NGHTTP2_SETTINGS, 0}, Offence::kSettingsFlood},
      {{4, NGHTTP2_WINDOW_UPDATE, 0}, Offence::kWindowUpdateFlood},
      {{5, NGHTTP2_PRIORITY, 0}, Offence::kUselessFrameFlood},
  };
  for (const auto& [frame, offence] : kinds) {
    EXPECT_EQ(budget.OnFrame(frame, kSecond), Offence::kNone);
    EXPECT_EQ(budget.OnFrame(frame, kSecond), Offence::kNone);
    EXPECT_EQ(budget.OnFrame(frame, kSecond), offence);
  }
}

TEST(PeerBudgetTest, FramesThatSayNothingAreOneKind) {
  for (const FrameHead frame : {FrameHead{0, NGHTTP2_DATA, 0},
                                FrameHead{256, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED},
                                FrameHead{5, NGHTTP2_PRIORITY, 0}, FrameHead{100, 0xfa, 0},
                                FrameHead{8, NGHTTP2_GOAWAY, 0}}) {
    PeerBudget budget(Tight());
    budget.OnFrame(frame, kSecond);
    budget.OnFrame(frame, kSecond);
    EXPECT_EQ(budget.OnFrame(frame, kSecond), Offence::kUselessFrameFlood) << int{frame.type};
  }
}

TEST(PeerBudgetTest, FramesOfCallsAreFree) {
  PeerBudget budget(Tight());
  for (int i = 0; i < 1000; ++i) {
    for (const FrameHead frame : {FrameHead{50, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS},
                                  FrameHead{1, NGHTTP2_DATA, 0},
                                  FrameHead{0, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM},
                                  FrameHead{16384, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED}}) {
      ASSERT_EQ(budget.OnFrame(frame, kSecond), Offence::kNone);
    }
  }
}

TEST(PeerBudgetTest, WhatOurAnswersCallForIsFree) {
  PeerBudget budget(Tight());
  for (int i = 0; i < 1000; ++i) {
    budget.OnFrameSent();
    EXPECT_EQ(budget.OnFrame(kPing, kSecond), Offence::kNone);
    for (int j = 0; j < 2; ++j) {
      EXPECT_EQ(budget.OnFrame({4, NGHTTP2_WINDOW_UPDATE, 0}, kSecond), Offence::kNone);
    }
  }
}

TEST(PeerBudgetTest, CallsThatBeginMayOpenTheirWindows) {
  PeerBudget budget(Tight());
  for (int i = 0; i < 1000; ++i) {
    budget.OnFrame({50, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS}, kSecond);
    for (int j = 0; j < 2; ++j) {
      ASSERT_EQ(budget.OnFrame({4, NGHTTP2_WINDOW_UPDATE, 0}, kSecond), Offence::kNone);
    }
  }
}

TEST(PeerBudgetTest, HeaderBlockIsBoundedInBytesAndInPieces) {
  PeerBudget budget(Tight());  // metadata of 16 KiB: a block of 64 KiB at most, in 4 + 8 pieces
  const FrameHead begin{16384, NGHTTP2_HEADERS, 0}, more{16384, NGHTTP2_CONTINUATION, 0};
  EXPECT_EQ(budget.OnFrame(begin, 0), Offence::kNone);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(budget.OnFrame(more, 0), Offence::kNone);
  EXPECT_EQ(budget.OnFrame({1, NGHTTP2_CONTINUATION, 0}, 0), Offence::kHeaderBomb);

  EXPECT_EQ(budget.OnFrame({1, NGHTTP2_HEADERS, 0}, 0), Offence::kNone);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(budget.OnFrame({0, NGHTTP2_CONTINUATION, 0}, 0), Offence::kNone);
  }
  EXPECT_EQ(budget.OnFrame({0, NGHTTP2_CONTINUATION, 0}, 0), Offence::kHeaderBomb);
  EXPECT_EQ(budget.OnHeaderBytes(64 << 10), Offence::kNone);
  EXPECT_EQ(budget.OnHeaderBytes((64 << 10) + 1), Offence::kHeaderBomb);
}

TEST(FrameScannerTest, FindsEveryHeadHoweverTheBytesAreCut) {
  std::string bytes("PREFACE");
  for (const size_t length : {0, 1, 300, 70'000}) {
    const char head[] = {static_cast<char>(length >> 16), static_cast<char>(length >> 8),
                         static_cast<char>(length), static_cast<char>(0xfa), 5, 0, 0, 0, 1};
    bytes.append(head, sizeof(head)).append(length, 'x');
  }
  for (const size_t step : {1, 2, 8, 9, 10, 4096, 1 << 20}) {
    FrameScanner scanner(7);
    std::vector<uint32_t> lengths;
    for (size_t at = 0; at < bytes.size(); at += step) {
      std::string_view chunk = std::string_view(bytes).substr(at, step);
      FrameHead head;
      while (scanner.Next(&chunk, &head)) {
        EXPECT_EQ(head.type, 0xfa);
        EXPECT_EQ(head.flags, 5);
        lengths.push_back(head.length);
      }
    }
    EXPECT_EQ(lengths, (std::vector<uint32_t>{0, 1, 300, 70'000})) << step;
  }
}

TEST(PeerLimitsTest, LimitIsSetInItsUnitAndWithinItsRange) {
  PeerLimits limits;
  EXPECT_TRUE(SetLimit(&limits, "keepalive_interval_ms", 1500).ok());
  EXPECT_EQ(limits.keepalive_interval, 1500 * kMillisecond);
  const Status high = SetLimit(&limits, "max_metadata_bytes", 1 << 30);
  EXPECT_EQ(high.message(),
            "limit 'max_metadata_bytes' must be between 4096 and 16777216, got 1073741824");
  EXPECT_EQ(limits.max_metadata_bytes, PeerLimits().max_metadata_bytes);
  EXPECT_EQ(SetLimit(&limits, "max_dragons", 1).kind(), ErrorKind::kInvalidArgument);
}

TEST(PeerLimitsTest, DefaultsAreLegalAndEveryOffenceHasAName) {
  PeerLimits limits;
  const PeerLimits defaults;
  ForEachLimit(defaults, [&limits](const PeerLimit& row, const auto& field) {
    EXPECT_TRUE(SetLimit(&limits, row.name, static_cast<int64_t>(field) / row.unit).ok()) << row.name;
    EXPECT_FALSE(row.text.empty());
  });
  for (size_t i = 1; i < kOffences; ++i) EXPECT_NE(OffenceName(static_cast<Offence>(i)), "none");
}

}  // namespace
}  // namespace skysail::net
