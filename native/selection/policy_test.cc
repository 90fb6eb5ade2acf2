#include "selection/policy.h"

#include <gtest/gtest.h>

#include <random>

namespace skysail::selection {
namespace {

TEST(FirstModelPolicy, ChoosesTheFirstModelThatHasTraffic) {
  Candidate idle{"idle", {{"1", 0}}, ""}, busy{"busy", {{"3", 1}}, ""},
      spare{"spare", {{"1", 1}}, ""};
  std::vector<const Candidate*> candidates = {&idle, &busy, &spare};
  PolicyCall call;
  call.candidates = &candidates;
  Decision decision = FirstModelPolicy().Select(call);
  EXPECT_EQ(decision.candidate, &busy);
  EXPECT_EQ(decision.version->name, "3");
}

TEST(FirstModelPolicy, DecidesNothingWhenNoModelCanAnswer) {
  Candidate idle{"idle", {}, ""};
  std::vector<const Candidate*> candidates = {&idle};
  PolicyCall call;
  call.candidates = &candidates;
  Decision decision = FirstModelPolicy().Select(call);
  EXPECT_EQ(decision.candidate, nullptr);
  EXPECT_EQ(decision.version, nullptr);
}

TEST(FirstModelPolicy, IsStickyByContextWhateverChanceSays) {
  Candidate model{"m", {{"1", 1}, {"2", 1}}, ""};
  std::vector<const Candidate*> candidates = {&model};
  std::mt19937_64 random(1);
  for (int user = 0; user < 50; ++user) {
    std::string context = "user-" + std::to_string(user);
    const Arm* first = nullptr;
    for (int again = 0; again < 20; ++again) {
      PolicyCall call{context, random(), &candidates};
      const Arm* version = FirstModelPolicy().Select(call).version;
      if (first == nullptr) first = version;
      ASSERT_EQ(version, first);
    }
  }
}

TEST(FirstModelPolicy, SplitsByChanceWithoutAContext) {
  Candidate model{"m", {{"1", 3}, {"2", 1}}, ""};
  std::vector<const Candidate*> candidates = {&model};
  std::mt19937_64 random(1);
  int second = 0;
  for (int i = 0; i < 100000; ++i) {
    PolicyCall call{"", random(), &candidates};
    second += FirstModelPolicy().Select(call).version == &model.versions[1];
  }
  EXPECT_NEAR(second / 100000.0, 0.25, 0.01);
}

TEST(FirstModelPolicy, RoutesOfOneSaltSplitTheirContextsAlike) {
  Candidate a{"a", {{"1", 1}, {"2", 1}}, "shared"}, b{"b", {{"1", 1}, {"2", 1}}, "shared"};
  std::vector<const Candidate*> as = {&a}, bs = {&b};
  for (int user = 0; user < 200; ++user) {
    std::string context = std::to_string(user);
    ASSERT_EQ(FirstModelPolicy().Select({context, 0, &as}).version->name,
              FirstModelPolicy().Select({context, 0, &bs}).version->name);
  }
}

}  // namespace
}  // namespace skysail::selection
