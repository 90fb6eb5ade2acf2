#include "base/slice.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace skysail {
namespace {

TEST(SliceTest, CopyOutlivesItsSource) {
  Slice slice;
  {
    const std::string source = "a tensor's bytes, longer than a small string may be";
    slice = Slice::Copy(source);
    EXPECT_NE(slice.data(), source.data());
  }
  EXPECT_EQ(slice.view(), "a tensor's bytes, longer than a small string may be");
}

TEST(SliceTest, PartKeepsTheWholeAlive) {
  Slice part;
  {
    const Slice whole = Slice::Copy("0123456789");
    part = whole.Sub(3, 4);
    EXPECT_EQ(part.data(), whole.data() + 3);
  }
  EXPECT_EQ(part.view(), "3456");
}

TEST(SliceTest, MovedFromIsEmptyAndSelfAssignmentHarmless) {
  Slice first = Slice::Copy("abc");
  const Slice second = std::move(first);
  EXPECT_TRUE(first.empty());
  Slice third = second;
  const Slice& alias = third;
  third = alias;
  EXPECT_EQ(third.view(), "abc");
}

TEST(SliceTest, MayBeDroppedOnAnyThread) {
  std::vector<std::thread> threads;
  {
    const Slice shared = Slice::Copy("shared by all");
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([copy = shared] {
        for (int round = 0; round < 1000; ++round) {
          const Slice mine = copy;
          ASSERT_EQ(mine.view(), "shared by all");
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BytesTest, ChainKeepsOrderAndSkipsWhatIsEmpty) {
  Bytes bytes;
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.slices(), 0u);
  bytes.Append(Slice::Static("one "));
  bytes.Append(Slice());
  bytes.Append(Slice::Copy("two "));
  Bytes more(Slice::Static("three "));
  more.Append(Slice::Static("four"));
  bytes.Append(std::move(more));
  EXPECT_EQ(bytes.slices(), 4u);
  EXPECT_EQ(bytes.size(), 18u);
  EXPECT_EQ(bytes.ToString(), "one two three four");
}

TEST(BytesTest, FlattenSharesASingleSliceAndJoinsSeveral) {
  Bytes bytes(Slice::Copy("alone"));
  EXPECT_EQ(bytes.Flatten().data(), bytes.slice(0).data());
  bytes.Append(Slice::Static(", not"));
  EXPECT_EQ(bytes.Flatten().view(), "alone, not");
  EXPECT_EQ(bytes.slices(), 2u);
  EXPECT_TRUE(Bytes().Flatten().empty());
}

}  // namespace
}  // namespace skysail
