#include "services/timing.h"

#include <gtest/gtest.h>

namespace skysail::services {
namespace {

Timing Full() {
  Timing timing;
  timing.served_us = 1500;
  timing.queue_us = 300;
  timing.fill_us = 20;
  timing.staged_us = 7;
  timing.model_us = UINT32_MAX;
  timing.hop_us = 90;
  timing.batch = 0x0123456789abcdef;
  timing.batch_rows = 32;
  timing.limit_rows = 64;
  timing.replica = "0-4f2a";
  return timing;
}
std::string Encoded(const Timing& timing) {
  std::string out;
  AppendTiming(timing, &out);
  return out;
}

TEST(TimingTest, IsReadAsItWasWritten) {
  Timing read;
  ASSERT_TRUE(ParseTiming(Encoded(Full()), &read));
  EXPECT_EQ(read.served_us, 1500u);
  EXPECT_EQ(read.queue_us, 300u);
  EXPECT_EQ(read.fill_us, 20u);
  EXPECT_EQ(read.staged_us, 7u);
  EXPECT_EQ(read.model_us, UINT32_MAX);
  EXPECT_EQ(read.hop_us, 90u);
  EXPECT_EQ(read.batch, 0x0123456789abcdefu);
  EXPECT_EQ(read.batch_rows, 32u);
  EXPECT_EQ(read.limit_rows, 64u);
  EXPECT_EQ(read.replica, "0-4f2a");
}

TEST(TimingTest, OfAHitIsAFewBytes) {
  Timing hit;
  EXPECT_EQ(Encoded(hit), "");
  hit.served_us = 100;
  EXPECT_EQ(Encoded(hit).size(), 2u);
}

TEST(TimingTest, DurationsAreNeitherNegativeNorWrapped) {
  EXPECT_EQ(Timing::Us(-5), 0u);
  EXPECT_EQ(Timing::Us(1999), 1u);
  EXPECT_EQ(Timing::Us(kNever), UINT32_MAX);
}

TEST(TimingTest, WhatIsMalformedIsRefused) {
  const std::string whole = Encoded(Full());
  for (size_t n = 0; n < whole.size(); ++n) {
    Timing part;
    static_cast<void>(ParseTiming(whole.substr(0, n), &part));
  }
  Timing timing;
  EXPECT_FALSE(ParseTiming(whole.substr(0, whole.size() - 1), &timing));
  EXPECT_FALSE(ParseTiming(std::string("\x0a\x00", 2), &timing)) << "a text for a duration";
  EXPECT_FALSE(ParseTiming("\x08\xff\xff\xff\xff\x7f", &timing)) << "beyond 32 bits";
  EXPECT_FALSE(ParseTiming("\x38\x01", &timing)) << "a batch id of another type";
  EXPECT_FALSE(ParseTiming("\x52\x81\x02" + std::string(257, 'x'), &timing)) << "a long replica";
  EXPECT_TRUE(ParseTiming("\x58\x01", &timing)) << "a field of a later release";
}

}  // namespace
}  // namespace skysail::services
