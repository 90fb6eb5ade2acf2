#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace skysail {
namespace {

TEST(StatusTest, DefaultIsOkAndSaysSo) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().ToString(), "Ok");
  EXPECT_EQ(Status::Ok().kind(), ErrorKind::kOk);
}

TEST(StatusTest, TextHoldsKindAndMessage) {
  const Status status = InvalidArgument("tensor 'x' is missing");
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.ToString(), "InvalidArgument: tensor 'x' is missing");
  EXPECT_EQ(Status(ErrorKind::kAborted, "").ToString(), "Aborted");
}

TEST(StatusTest, EveryKindHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i < kErrorKinds; ++i) {
    names.emplace(ErrorKindName(static_cast<ErrorKind>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(kErrorKinds));
}

TEST(StatusTest, NumberThatIsNoKindIsUnknown) {
  EXPECT_EQ(ErrorKindName(static_cast<ErrorKind>(kErrorKinds)), "Unknown");
}

TEST(StatusTest, CodesAreInLowerSnakeForm) {
  EXPECT_EQ(ErrorCode(ErrorKind::kOk), "ok");
  EXPECT_EQ(ErrorCode(ErrorKind::kDeadlineExceeded), "deadline_exceeded");
  EXPECT_EQ(ErrorCode(ErrorKind::kDataLoss), "data_loss");
}

TEST(ResultTest, HoldsAValueThatCanBeMovedOut) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result.status().ok());
  const std::unique_ptr<int> taken = std::move(*result);
  EXPECT_EQ(*taken, 7);
}

TEST(ResultTest, HoldsTheErrorInstead) {
  const Result<int> result(NotFound("no model 'm'"));
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.status().kind(), ErrorKind::kNotFound);
}

}  // namespace
}  // namespace skysail
