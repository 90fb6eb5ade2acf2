#include "oip/tensor.h"

#include <gtest/gtest.h>

#include "oip/text.h"

namespace skysail::oip {
namespace {

TEST(DataTypeTest, NamesAndSizesAreThoseOfTheProtocol) {
  const std::vector<std::pair<std::string, size_t>> types = {
      {"BOOL", 1},  {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4}, {"UINT64", 8},
      {"INT8", 1},  {"INT16", 2}, {"INT32", 4},  {"INT64", 8},  {"FP16", 2},
      {"FP32", 4},  {"FP64", 8},  {"BF16", 2},   {"BYTES", 0},
  };
  for (const auto& [name, size] : types) {
    const DataType type = ParseDataType(name);
    EXPECT_NE(type, DataType::kInvalid) << name;
    EXPECT_EQ(DataTypeName(type), name);
    EXPECT_EQ(ElementSize(type), size) << name;
  }
}

TEST(DataTypeTest, AnythingElseIsInvalid) {
  for (std::string_view name : {"", "fp32", "FP3", "FP322", "INVALID", "FP32 "}) {
    EXPECT_EQ(ParseDataType(name), DataType::kInvalid) << name;
  }
}

TEST(ShapeTest, CountsElements) {
  EXPECT_EQ((Shape{}.Elements()), 1);
  EXPECT_EQ((Shape{2, 3, 4}.Elements()), 24);
  EXPECT_EQ((Shape{2, 0, 4}.Elements()), 0);
  EXPECT_EQ((Shape{2, -1}.Elements()), -1);
  EXPECT_EQ((Shape{0, -1}.Elements()), -1);
}

TEST(ShapeTest, OverflowIsNoNumberOfElements) {
  const int64_t big = int64_t{1} << 32;
  EXPECT_EQ((Shape{big, big}.Elements()), -1);
  EXPECT_EQ((Shape{big, big, 0}.Elements()), 0);
  EXPECT_EQ((Shape{INT64_MAX, 1}.Elements()), INT64_MAX);
}

TEST(ShapeTest, HoldsNoMoreThanItsRank) {
  Shape shape;
  for (int i = 0; i < kMaxRank; ++i) EXPECT_TRUE(shape.Push(1));
  EXPECT_FALSE(shape.Push(1));
  EXPECT_EQ(shape.rank(), kMaxRank);
}

TEST(ShapeTest, PrintsItself) {
  EXPECT_EQ(Shape{}.ToString(), "[]");
  EXPECT_EQ((Shape{-1, 16}.ToString()), "[-1,16]");
}

TEST(Utf8Test, TakesWellFormedText) {
  for (std::string_view text :
       {"", "a", "plain ascii, longer than eight", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xc3\xa9",
        "1234567\xc3\xa9 89012345"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
}

TEST(Utf8Test, RefusesWhatIsNot) {
  for (std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff", "12345678\xff", "123456789012345\xe2\x82"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(QuoteTest, CutsLongTextAtACharacter) {
  EXPECT_EQ(Quote("x"), "'x'");
  std::string text;
  for (int i = 0; i < 200; ++i) text += "\xe2\x82\xac";
  const std::string quoted = Quote(text);
  EXPECT_LT(quoted.size(), 120u);
  EXPECT_TRUE(IsUtf8(quoted));
}

}  // namespace
}  // namespace skysail::oip
