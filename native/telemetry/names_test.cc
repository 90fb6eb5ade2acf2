#include "telemetry/names.h"

#include <gtest/gtest.h>

namespace skysail::telemetry {
namespace {

TEST(NamesTest, ANameHasOneNumber) {
  Names names;
  const NameId a = names.Intern("a"), b = names.Intern("b");
  EXPECT_NE(a, b);
  EXPECT_EQ(names.Intern("a"), a);
  EXPECT_EQ(names.Find(a), "a");
  EXPECT_EQ(names.Find(b), "b");
  EXPECT_EQ(names.Intern(""), 0);
  EXPECT_EQ(names.Find(0), "");
  EXPECT_EQ(names.Find(999), "");
}

TEST(NamesTest, ThereAreAsManyAsThereMayBe) {
  Names names(4);
  EXPECT_EQ(names.Find(names.Intern("a")), "a");
  for (int i = 0; i < 100; ++i) names.Intern("n" + std::to_string(i));
  EXPECT_EQ(names.Find(names.Intern("one more")), "(other)");
  EXPECT_EQ(names.Find(names.Intern("a")), "a");
}

}  // namespace
}  // namespace skysail::telemetry
