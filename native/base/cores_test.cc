#include "base/cores.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace skysail {
namespace {

// A made-up mount of control groups.
class CoresTest : public testing::Test {
 protected:
  CoresTest() {
    std::string name = testing::TempDir() + "cgroup-XXXXXX";
    root_ = mkdtemp(name.data());
  }
  ~CoresTest() override { std::filesystem::remove_all(root_); }
  void Quota(const std::string& group, const std::string& text) {
    std::filesystem::create_directories(root_ + group);
    std::ofstream(root_ + group + "/cpu.max") << text << "\n";
  }
  std::string root_;
};

TEST_F(CoresTest, ThereIsOneAtLeast) { EXPECT_GE(UsableCores(), 1); }

TEST_F(CoresTest, WithoutGroupsNothingIsLimited) {
  EXPECT_EQ(CoresWithinQuota("", root_ + "/missing", 8), 8);
  EXPECT_EQ(CoresWithinQuota("4:cpu:/x\n", root_, 8), 8);
}

TEST_F(CoresTest, QuotaIsRoundedDownToOneAtLeast) {
  Quota("", "250000 100000");  // as a container sees its own
  EXPECT_EQ(CoresWithinQuota("0::/\n", root_, 8), 2);
  EXPECT_EQ(CoresWithinQuota("0::/\n", root_, 1), 1);
  Quota("", "50000 100000");
  EXPECT_EQ(CoresWithinQuota("0::/\n", root_, 8), 1);
}

TEST_F(CoresTest, UnlimitedOrUnreadableQuotaLimitsNothing) {
  for (const char* text : {"max 100000", "", "100000", "none", "-1 100000", "100000 0", "1e30 1"}) {
    Quota("", text);
    EXPECT_EQ(CoresWithinQuota("0::/\n", root_, 8), 8) << text;
  }
}

TEST_F(CoresTest, TheTightestQuotaOnTheWayUpCounts) {
  Quota("/slice", "300000 100000");
  Quota("/slice/unit", "max 100000");
  Quota("/other", "100000 100000");
  EXPECT_EQ(CoresWithinQuota("12:cpu:/other\n0::/slice/unit\n", root_, 8), 3);
}

TEST_F(CoresTest, IdleTimeIsThatOfTheUsableCores) {
  const std::string stat =
      "cpu  9 9 9 900 0 0 0 0 0 0\ncpu0 1 2 3 100 5 0 0 0 0 0\ncpu1 1 2 3 200 5 0 0 0 0 0\n"
      "cpu12 1 2 3 400 5 0 0 0 0 0\nintr 7 1 2 3\ncpu3 1 2 3 800 5\n";
  const auto idle = [&stat](auto usable) { return IdleTimeIn(stat, usable); };
  EXPECT_EQ(idle([](int core) { return core == 1; }), 2 * kSecond);
  EXPECT_EQ(idle([](int core) { return core != 1; }), 5 * kSecond);
  EXPECT_EQ(idle([](int) { return false; }), 0);
}

TEST_F(CoresTest, UnreadableIdleTimeIsNone) {
  for (const char* stat : {"", "cpu", "cpu  1 2 3 4\n", "cpu0 1 2\n", "cpu0 a b c d\n", "intr 1"}) {
    EXPECT_EQ(IdleTimeIn(stat, [](int) { return true; }), 0) << stat;
  }
}

TEST_F(CoresTest, IdleTimeOfThisMachineGrows) {
  const TimeNs before = IdleTime();
  EXPECT_GT(before, 0);
  EXPECT_GE(IdleTime(), before);
}

}  // namespace
}  // namespace skysail
