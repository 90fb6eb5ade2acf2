#include "services/selector.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "services/testing.h"

namespace skysail::services {
namespace {

using oip::testing::TextParameter;
using testing::Asked;
using testing::HandLoop;
using testing::HeldService;
using testing::SumRequest;

class SelectorTest : public ::testing::Test {
 protected:
  void Publish(std::vector<std::pair<std::string, double>> versions) {
    Application application;
    application.name = "shop";
    application.models = {"sum"};
    Route route;
    route.model = "sum";
    route.versions = std::move(versions);
    ASSERT_TRUE(selector_.Publish({application}, {route}, 1).ok());
  }
  // The version chosen, or the error.
  std::string Choose(const std::string& context, const std::string& version = "") {
    const std::string more = context.empty() ? "" : TextParameter("skysail.context", context);
    Asked asked = Asked::Ask(selector_, hand_.loop(), SumRequest("shop", {1, 2}, more, version));
    if (asked.done()) return std::string(ErrorKindName(asked.kind()));
    InferRequest& request = next_->request(next_->size() - 1);
    EXPECT_EQ(request.model, "sum");
    const std::string chosen(request.version);
    next_->AnswerSums(next_->size() - 1, {3});
    return chosen;
  }
  HandLoop hand_;
  std::shared_ptr<HeldService> next_ = std::make_shared<HeldService>();
  Selector selector_{hand_.loops(), next_};
};

TEST_F(SelectorTest, OneContextAlwaysMeetsOneVersion) {
  Publish({{"1", 0.5}, {"2", 0.5}});
  for (int user = 0; user < 50; ++user) {
    const std::string context = "user " + std::to_string(user);
    const std::string first = Choose(context);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(Choose(context), first);
  }
}

TEST_F(SelectorTest, VersionsGetTheirShare) {
  Publish({{"1", 3}, {"2", 1}});
  std::map<std::string, int> with_context, without;
  for (int i = 0; i < 4000; ++i) {
    ++with_context["" + Choose("user " + std::to_string(i))];
    ++without[Choose("")];
  }
  EXPECT_NEAR(with_context["1"], 3000, 150);
  EXPECT_NEAR(without["1"], 3000, 150);
}

TEST_F(SelectorTest, AVersionByNameIsGivenWhenTheRouteHasIt) {
  Publish({{"1", 1}, {"2", 0}});
  EXPECT_EQ(Choose("", "2"), "2") << "a version without traffic may be asked for by name";
  EXPECT_EQ(Choose("", "3"), "NotFound");
}

TEST_F(SelectorTest, BeforeItsConfigurationHasComeItSaysToTryAgain) {
  Asked early = Asked::Ask(selector_, hand_.loop(), SumRequest("shop", {1, 2}));
  EXPECT_EQ(early.kind(), ErrorKind::kUnavailable);
  EXPECT_TRUE(early.answer().unprocessed);
}

TEST_F(SelectorTest, SaysWhatIsMissing) {
  Publish({{"1", 0}});
  EXPECT_EQ(Choose(""), "FailedPrecondition");
  Asked unknown = Asked::Ask(selector_, hand_.loop(), SumRequest("shoe", {1, 2}));
  EXPECT_EQ(unknown.kind(), ErrorKind::kNotFound);
}

TEST_F(SelectorTest, NoCallIsWithoutADeadline) {
  Publish({{"1", 1}});
  Asked asked = Asked::Ask(selector_, hand_.loop(), SumRequest("shop", {1, 2}));
  EXPECT_LE(next_->call(0).deadline(), SystemClock::Get().Now() + kSecond);
  next_->AnswerSums(0, {3});
  EXPECT_EQ(asked.kind(), ErrorKind::kOk);
}

TEST_F(SelectorTest, CountsWhatItChoseAndKeepsTheCountsOfVersionsThatStay) {
  const auto chosen = [this](const std::string& version) {
    const Report report = selector_.Stats();
    const auto& shop = std::get<Report>(*std::get<Report>(*report.Find("applications")).Find("shop"));
    const auto& sum = std::get<Report>(*std::get<Report>(*shop.Find("chosen")).Find("sum"));
    const Report::Value* count = sum.Find(version);
    return count == nullptr ? -1 : static_cast<int64_t>(std::get<uint64_t>(*count));
  };
  Publish({{"1", 1.0}, {"2", 0.0}});
  Choose("a");
  Choose("b");
  Choose("", "2");
  EXPECT_EQ(chosen("1"), 2);
  EXPECT_EQ(chosen("2"), 1);
  Publish({{"3", 1.0}, {"1", 1.0}});
  EXPECT_EQ(chosen("1"), 2);
  EXPECT_EQ(chosen("2"), -1);
  EXPECT_EQ(chosen("3"), 0);
}

TEST_F(SelectorTest, CountsMessagesThatNoApplicationCanAnswerFor) {
  Publish({{"1", 1.0}});
  selector_.OnUnreadable(ErrorKind::kInvalidArgument);
  Asked asked = Asked::Ask(selector_, hand_.loop(), SumRequest("nobody", {1, 2}));
  ASSERT_TRUE(asked.done());
  const Report report = selector_.Stats();
  const auto& nameless = std::get<Report>(*report.Find("nameless"));
  EXPECT_EQ(std::get<uint64_t>(*nameless.Find("invalid_argument")), 1u);
  EXPECT_EQ(std::get<uint64_t>(*nameless.Find("not_found")), 1u);
}

}  // namespace
}  // namespace skysail::services
