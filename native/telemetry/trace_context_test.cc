#include "telemetry/trace_context.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace skysail::telemetry {
namespace {

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

bool Parses(const std::string& text) {
  TraceContext context;
  return ParseTraceparent(text, &context);
}
std::string Formatted(const TraceContext& context) {
  std::string text(kTraceparentSize, '\0');
  FormatTraceparent(context, text.data());
  return text;
}

TEST(TraceContextTest, AParentIsReadAndWrittenAlike) {
  TraceContext context;
  ASSERT_TRUE(ParseTraceparent(kParent, &context));
  EXPECT_EQ(context.trace.high, 0x0af7651916cd43ddu);
  EXPECT_EQ(context.trace.low, 0x8448eb211c80319cu);
  EXPECT_EQ(context.span, 0xb7ad6b7169203331u);
  EXPECT_TRUE(context.sampled());
  EXPECT_EQ(Formatted(context), kParent);
}

TEST(TraceContextTest, FlagsOfOthersAreNotPassedOn) {
  TraceContext context;
  ASSERT_TRUE(ParseTraceparent(std::string(kParent, 53) + "fe", &context));
  EXPECT_FALSE(context.sampled());
  EXPECT_EQ(Formatted(context).substr(53), "02");
}

TEST(TraceContextTest, WhatIsNoParentIsRefused) {
  const std::string good = kParent;
  EXPECT_FALSE(Parses(""));
  EXPECT_FALSE(Parses(good.substr(0, 54)));
  EXPECT_FALSE(Parses(good + "-"));  // version 00 ends here
  EXPECT_FALSE(Parses(std::string(1 << 20, 'a')));
  for (const std::string hostile : {
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",  // a version that never is
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",  // upper case
           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
           "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
       }) {
    EXPECT_FALSE(Parses(hostile)) << hostile;
  }
  std::string zeroes = good;
  zeroes[7] = '\0';
  EXPECT_FALSE(Parses(zeroes));
}

TEST(TraceContextTest, LaterVersionsAreReadAsFarAsThisOneGoes) {
  const std::string later = "cc" + std::string(kParent).substr(2);
  EXPECT_TRUE(Parses(later));
  EXPECT_TRUE(Parses(later + "-what-the-future-brings"));
  EXPECT_FALSE(Parses(later + ".what"));
}

TEST(TraceContextTest, AStateIsHeldToItsGrammar) {
  for (const std::string good : {"", "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a=1, b=2 ,, c=3",
                                 "fw529a3039@dt=FfD2", "0tenant@sys=x", "a_-*/=! ~", "\t a=1\t"}) {
    EXPECT_TRUE(IsTracestate(good)) << good;
  }
  for (const std::string bad : {"a", "=1", "a=", "A=1", "a =1", "a=1=2", "a=1;b=2\n", "a=\x01", "a=\xc3\xa4",
                                "a=1,a=2", "@sys=1", "t@=1", "t@1sys=1", "t@system-too-long=1", "_a=1"}) {
    EXPECT_FALSE(IsTracestate(bad)) << bad;
  }
}

TEST(TraceContextTest, AStateIsBounded) {
  std::string most, more;
  for (int i = 0; i < 33; ++i) {
    if (i == 32) most = more;
    more += (i > 0 ? ",k" : "k") + std::to_string(i) + "=v";
  }
  EXPECT_TRUE(IsTracestate(most));
  EXPECT_FALSE(IsTracestate(more)) << "33 members";
  const std::string half = "a=" + std::string(253, 'x');
  EXPECT_TRUE(IsTracestate(half + ",b=" + std::string(254, 'x')));
  EXPECT_FALSE(IsTracestate(half + ",b=" + std::string(255, 'x'))) << "513 bytes";
  EXPECT_FALSE(IsTracestate("a=" + std::string(257, 'x'))) << "a value of 257";
  EXPECT_FALSE(IsTracestate(std::string(1 << 20, ',')));
}

TEST(TraceContextTest, MalformedPartsAreDroppedAndCounted) {
  const uint64_t parents = TraceFaults::Get().traceparents.value();
  const uint64_t states = TraceFaults::Get().tracestates.value();
  EXPECT_FALSE(ReadTrace("", "a=1").valid());
  EXPECT_TRUE(ReadTrace("", "a=1").state.empty());
  EXPECT_EQ(TraceFaults::Get().traceparents.value(), parents);
  EXPECT_FALSE(ReadTrace("00-aa-bb-01", "a=1").valid());
  EXPECT_TRUE(ReadTrace("00-aa-bb-01", "a=1").state.empty());
  EXPECT_EQ(TraceFaults::Get().traceparents.value(), parents + 2);
  const TraceContext context = ReadTrace(kParent, "a=1,a=1");
  EXPECT_TRUE(context.valid());
  EXPECT_TRUE(context.state.empty());
  EXPECT_EQ(TraceFaults::Get().tracestates.value(), states + 1);
  EXPECT_EQ(ReadTrace(kParent, "a=1").state, "a=1");
}

TEST(TraceContextTest, TheBinaryFormIsReadAsItWasWritten) {
  TraceContext context, read;
  ASSERT_TRUE(ParseTraceparent(kParent, &context));
  char bytes[kBinaryTraceSize];
  PutBinaryTrace(context, bytes);
  EXPECT_EQ(bytes[0], '\x0a');
  EXPECT_EQ(bytes[16], '\xb7');
  ASSERT_TRUE(ReadBinaryTrace({bytes, sizeof(bytes)}, &read));
  EXPECT_EQ(Formatted(read), kParent);
  EXPECT_FALSE(ReadBinaryTrace({bytes, sizeof(bytes) - 1}, &read));
  EXPECT_FALSE(ReadBinaryTrace(std::string(kBinaryTraceSize, '\0'), &read));
}

// Whatever comes, what is read back is what would be sent on.
TEST(TraceContextTest, NoTextLeadsToAnythingButAWellFormedOne) {
  std::mt19937 random(7);
  const std::string alphabet = "0123456789abcdefABF-= ,\0\n@";
  int read = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text = kParent;
    const int changes = static_cast<int>(random() % 3);
    for (int n = 0; n < changes; ++n) text[random() % text.size()] = alphabet[random() % alphabet.size()];
    if (random() % 8 == 0) text.resize(random() % 80, '0');
    TraceContext context, again;
    if (!ParseTraceparent(text, &context)) continue;
    ++read;
    ASSERT_TRUE(context.valid());
    ASSERT_TRUE(ParseTraceparent(Formatted(context), &again));
    ASSERT_EQ(Formatted(again), Formatted(context));
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace skysail::telemetry
