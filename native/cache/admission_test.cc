// Hit rates on made traces, with the admission rule and without it: plain LRU. Every trace is the same
// in every run.

#include "cache/admission.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cache/prediction_cache.h"

namespace skysail::cache {
namespace {

constexpr size_t kHeld = 2000;  // entries that the cache has room for, all in one shard
constexpr size_t kSteps = 60 * kHeld;
constexpr size_t kValueBytes = 120;

using Trace = std::vector<uint64_t>;

std::string_view KeyOf(const uint64_t& number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

CacheOptions RoomForHeld(bool admit_all) {
  CacheOptions options;
  options.capacity_bytes = kHeld * PredictionCache::Charge(sizeof(uint64_t), kValueBytes);
  options.admit_all = admit_all;
  options.hash_seed = 7;
  return options;
}

// Asks the cache for every key of the trace, and puts in what it does not hold.
CacheStats Replay(const Trace& trace, bool admit_all) {
  PredictionCache cache(RoomForHeld(admit_all));
  const Space space = cache.AddSpace();
  const std::string value(kValueBytes, 'v');
  for (const uint64_t number : trace) {
    const auto key = cache.MakeKey(space, KeyOf(number));
    if (!cache.Lookup(key).has_value()) cache.Insert(key, value);
  }
  return cache.stats();
}

double HitRate(const CacheStats& stats) {
  return static_cast<double>(stats.hits) / static_cast<double>(stats.lookups);
}

class Maker {
 public:
  double Chance() { return static_cast<double>(random_() >> 11) / 9007199254740992.0; }
  uint64_t Below(uint64_t n) { return random_() % n; }
  uint64_t Fresh() { return kFirstFresh + fresh_++; }
  // Rank by rank less asked for: rank r with a weight of r to the power of -skew.
  std::function<uint64_t()> Zipf(size_t keys, double skew) {
    std::vector<double> sums;
    for (size_t rank = 1; rank <= keys; ++rank) {
      sums.push_back((sums.empty() ? 0 : sums.back()) +
                     std::pow(static_cast<double>(rank), -skew));
    }
    return [this, sums = std::move(sums)] {
      const auto at = std::lower_bound(sums.begin(), sums.end(), Chance() * sums.back());
      return static_cast<uint64_t>(at - sums.begin());
    };
  }

 private:
  static constexpr uint64_t kFirstFresh = uint64_t{1} << 40;
  std::mt19937_64 random_{42};
  uint64_t fresh_ = 0;
};

Trace Of(const std::function<uint64_t(size_t)>& key_at) {
  Trace trace;
  for (size_t i = 0; i < kSteps; ++i) trace.push_back(key_at(i));
  return trace;
}

Trace ZipfTrace(size_t keys, double skew) {
  Maker maker;
  const auto zipf = maker.Zipf(keys, skew);
  return Of([&](size_t) { return zipf(); });
}

// A new set of keys every `period` steps.
Trace ShiftingZipf(size_t period) {
  Maker maker;
  const auto zipf = maker.Zipf(5 * kHeld, 1.0);
  return Of([&](size_t i) { return i / period * (uint64_t{1} << 32) + zipf(); });
}

// Between times of repeated keys, times of keys that never come again.
Trace ZipfWithScans(size_t keys, size_t period) {
  Maker maker;
  const auto zipf = maker.Zipf(keys, 0.9);
  return Of([&](size_t i) { return i / period % 2 == 1 ? maker.Fresh() : zipf(); });
}

Trace ZipfAmongDistinct() {
  Maker maker;
  const auto zipf = maker.Zipf(10 * kHeld, 0.9);
  return Of([&](size_t) { return maker.Below(2) == 0 ? maker.Fresh() : zipf(); });
}

Trace Loop(size_t keys) {
  return Of([keys](size_t i) { return i % keys; });
}

Trace HotKeysAndALoop() {
  Maker maker;
  return Of([&](size_t i) {
    return maker.Below(2) == 0 ? maker.Below(kHeld / 2) : kSteps + i % (3 * kHeld);
  });
}

// Each key `times` times within a fifth of what the cache holds, then never again.
Trace Bursts(size_t times) {
  Maker maker;
  std::vector<std::pair<double, uint64_t>> asked;
  for (size_t i = 0; i < kSteps / times; ++i) {
    double at = maker.Chance() * kSteps;
    for (size_t n = 0; n < times; ++n, at += maker.Chance() * kHeld / 5) asked.push_back({at, i});
  }
  std::sort(asked.begin(), asked.end());
  Trace trace;
  for (const auto& [at, key] : asked) trace.push_back(key);
  return trace;
}

struct Case {
  const char* name;
  Trace (*make)();
  double least_gain;  // in hit rate over plain LRU; below zero: what may be lost
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class HitRates : public testing::TestWithParam<Case> {};

TEST_P(HitRates, AreWhatTheDecisionSays) {
  const Trace trace = GetParam().make();
  const double with = HitRate(Replay(trace, false));
  const double lru = HitRate(Replay(trace, true));
  RecordProperty("with", std::to_string(with));
  RecordProperty("lru", std::to_string(lru));
  EXPECT_GE(with - lru, GetParam().least_gain) << with << " against " << lru;
}

INSTANTIATE_TEST_SUITE_P(
    Traces, HitRates,
    testing::Values(Case{"ZipfFlat", [] { return ZipfTrace(50 * kHeld, 0.6); }, 0.05},
                    Case{"ZipfMild", [] { return ZipfTrace(50 * kHeld, 0.8); }, 0.07},
                    Case{"Zipf", [] { return ZipfTrace(50 * kHeld, 1.0); }, 0.05},
                    Case{"ZipfSteep", [] { return ZipfTrace(50 * kHeld, 1.2); }, 0.02},
                    Case{"ZipfOfFewKeysMild", [] { return ZipfTrace(5 * kHeld, 0.8); }, 0.03},
                    Case{"ZipfOfFewKeys", [] { return ZipfTrace(5 * kHeld, 1.0); }, 0.02},
                    Case{"ZipfAndScans", [] { return ZipfWithScans(10 * kHeld, 5 * kHeld); }, 0.03},
                    Case{"HotSetAndScans", [] { return ZipfWithScans(kHeld / 2, 2 * kHeld); }, 0.05},
                    Case{"ZipfAmongDistinct", [] { return ZipfAmongDistinct(); }, 0.07},
                    Case{"ShiftsNowAndThen", [] { return ShiftingZipf(50 * kHeld); }, 0.01},
                    Case{"LoopJustTooLong", [] { return Loop(kHeld * 11 / 10); }, 0.3},
                    Case{"LoopTwiceTooLong", [] { return Loop(2 * kHeld); }, 0.4},
                    Case{"LoopFarTooLong", [] { return Loop(5 * kHeld); }, 0.15},
                    Case{"HotKeysAndALoop", [] { return HotKeysAndALoop(); }, 0.1},
                    Case{"PairsThenNeverAgain", [] { return Bursts(2); }, -0.01},
                    Case{"BurstsThenNeverAgain", [] { return Bursts(5); }, -0.01},
                    Case{"FrequentShifts", [] { return ShiftingZipf(5 * kHeld); }, -0.09}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Admission, InputsThatNeverRepeatDisplaceNextToNothing) {
  Maker maker;
  const CacheStats stats = Replay(Of([&](size_t) { return maker.Fresh(); }), false);
  EXPECT_LE(stats.evictions, kSteps / 60);  // one in 64, and where two fingerprints are equal
  EXPECT_EQ(stats.inserts + stats.refused, kSteps);
  EXPECT_EQ(stats.entries, kHeld);
}

// A working set that fits takes the cache over, though the one before stays where it was.
TEST(Admission, ANewWorkingSetGetsIn) {
  constexpr size_t kSet = kHeld * 9 / 10;
  PredictionCache cache(RoomForHeld(false));
  const Space space = cache.AddSpace();
  const std::string value(kValueBytes, 'v');
  const auto ask = [&](uint64_t number) {
    const auto key = cache.MakeKey(space, KeyOf(number));
    if (cache.Lookup(key).has_value()) return true;
    cache.Insert(key, value);
    return false;
  };
  for (uint64_t set = 0; set < 3; ++set) {
    size_t hits = 0;
    for (size_t round = 0; round < 30; ++round) {
      hits = 0;
      for (uint64_t i = 0; i < kSet; ++i) hits += ask(set * kSteps + i) ? 1 : 0;
    }
    EXPECT_GE(hits, kSet * 94 / 100) << "set " << set;
  }
}

TEST(Admission, RefusesAKeyThatWasSeenBeforeTheVictimWasUsed) {
  Admission admission(1024);
  Admission::Seen seen{};
  Entry victim{};
  constexpr uint64_t kHash = 0x123456789ABCDEF0;
  EXPECT_EQ(admission.Weigh(kHash, &seen, victim, 100), Admission::Verdict::kRefused);
  victim.used = admission.now();
  EXPECT_EQ(admission.Weigh(kHash, &seen, victim, 100), Admission::Verdict::kRefused);
  EXPECT_EQ(admission.Weigh(kHash, &seen, victim, 100), Admission::Verdict::kReturning);
}

class FullCache : public testing::Test {
 protected:
  FullCache() : cache_(RoomForHeld(false), clock_), space_(cache_.AddSpace()) {}
  bool Put(Space space, uint64_t number, TimeNs ttl = 0) {
    return cache_.Insert(cache_.MakeKey(space, KeyOf(number)), std::string(kValueBytes, 'v'), ttl);
  }
  bool Holds(Space space, uint64_t number) {
    return cache_.Lookup(cache_.MakeKey(space, KeyOf(number))).has_value();
  }
  ManualClock clock_{100};
  PredictionCache cache_;
  const Space space_;
};

TEST_F(FullCache, LetsAKeyInAtItsSecondSight) {
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(space_, i));
  EXPECT_FALSE(Put(space_, kSteps));
  EXPECT_EQ(cache_.stats(space_).refused, 1u);
  EXPECT_TRUE(Put(space_, kSteps));
  EXPECT_TRUE(Holds(space_, kSteps));
  EXPECT_FALSE(Holds(space_, 0));
}

TEST_F(FullCache, TakesANewerValueOfAKeyItHolds) {
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(space_, i));
  EXPECT_TRUE(Put(space_, 5));
  EXPECT_EQ(cache_.stats().entries, kHeld);
}

TEST_F(FullCache, PutsNewKeysInThePlaceOfExpiredOnes) {
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(space_, i, 10));
  clock_.Advance(10);
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(space_, kSteps + i));
  EXPECT_FALSE(Put(space_, 2 * kSteps));
}

TEST_F(FullCache, PutsNewKeysInThePlaceOfAnErasedSpace) {
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(space_, i));
  const Space next = cache_.AddSpace();
  EXPECT_FALSE(Put(next, 0));
  cache_.EraseSpace(space_);
  for (uint64_t i = 0; i < kHeld; ++i) ASSERT_TRUE(Put(next, i));
  EXPECT_EQ(cache_.stats(next).entries, kHeld);
}

TEST_F(FullCache, AFullQuotaIsAFullCacheToItsSpaceAlone) {
  const Space bounded =
      cache_.AddSpace(10 * PredictionCache::Charge(sizeof(uint64_t), kValueBytes));
  for (uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(Put(bounded, i));
  EXPECT_FALSE(Put(bounded, 10));
  EXPECT_TRUE(Put(space_, 10));
  EXPECT_TRUE(Put(bounded, 10));
  EXPECT_FALSE(Holds(bounded, 0));
  EXPECT_EQ(cache_.stats(bounded).entries, 10u);
}

}  // namespace
}  // namespace skysail::cache
