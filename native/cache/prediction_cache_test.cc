#include "cache/prediction_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace skysail::cache {
namespace {

std::string Get(PredictionCache& cache, Space space, std::string_view key) {
  auto value = cache.Lookup(cache.MakeKey(space, key));
  return value ? std::string(value->view()) : "(absent)";
}

bool Put(PredictionCache& cache, Space space, std::string_view key, std::string_view value,
         TimeNs ttl = 0) {
  return cache.Insert(cache.MakeKey(space, key), value, ttl);
}

// Plain LRU, for the tests of its order.
CacheOptions AdmittingAll(size_t capacity_bytes) {
  CacheOptions options;
  options.capacity_bytes = capacity_bytes;
  options.admit_all = true;
  return options;
}

CacheOptions RoomFor(int entries, size_t key_bytes, size_t value_bytes) {
  return AdmittingAll(static_cast<size_t>(entries) *
                      PredictionCache::Charge(key_bytes, value_bytes));
}

TEST(PredictionCache, GivesBackWhatWasPut) {
  PredictionCache cache({});
  Space space = cache.AddSpace();
  EXPECT_EQ(Get(cache, space, "k"), "(absent)");
  EXPECT_TRUE(Put(cache, space, "k", "v"));
  EXPECT_EQ(Get(cache, space, "k"), "v");
  EXPECT_EQ(cache.stats().hits, 1u);
  EXPECT_EQ(cache.stats().lookups, 2u);
}

TEST(PredictionCache, KeepsEmptyKeysAndValues) {
  PredictionCache cache({});
  Space space = cache.AddSpace();
  EXPECT_TRUE(Put(cache, space, "", ""));
  EXPECT_EQ(Get(cache, space, ""), "");
}

TEST(PredictionCache, ANewerValueReplacesTheOlder) {
  PredictionCache cache({});
  Space space = cache.AddSpace();
  Put(cache, space, "k", "old");
  Put(cache, space, "k", "new");
  EXPECT_EQ(Get(cache, space, "k"), "new");
  EXPECT_EQ(cache.stats().entries, 1u);
  EXPECT_EQ(cache.stats().bytes, PredictionCache::Charge(1, 3));
}

TEST(PredictionCache, EqualKeysOfTwoSpacesAreTwoEntries) {
  PredictionCache cache({});
  Space a = cache.AddSpace(), b = cache.AddSpace();
  Put(cache, a, "k", "of a");
  Put(cache, b, "k", "of b");
  EXPECT_EQ(Get(cache, a, "k"), "of a");
  EXPECT_EQ(Get(cache, b, "k"), "of b");
}

// D2: the key is compared whole, so a hash of 8 bits, where most keys collide, changes no answer.
TEST(PredictionCache, D2EveryAnswerIsRightWithAnEightBitHash) {
  CacheOptions options;
  options.hash_bits = 8;
  PredictionCache cache(options);
  Space spaces[] = {cache.AddSpace(), cache.AddSpace()};
  for (int i = 0; i < 4000; ++i) {
    for (Space space : spaces) {
      std::string key = "key " + std::to_string(i);
      ASSERT_TRUE(Put(cache, space, key, key + " in " + std::to_string(space)));
    }
  }
  for (int i = 0; i < 8000; ++i) {
    for (Space space : spaces) {
      std::string key = "key " + std::to_string(i);
      std::string expected = i < 4000 ? key + " in " + std::to_string(space) : "(absent)";
      ASSERT_EQ(Get(cache, space, key), expected);
    }
  }
}

TEST(PredictionCache, AValueHandedOutOutlivesItsEvictionAndTheCache) {
  std::optional<Slice> held;
  {
    PredictionCache cache(RoomFor(1, 1, 5));
    Space space = cache.AddSpace();
    Put(cache, space, "a", "first");
    held = cache.Lookup(cache.MakeKey(space, "a"));
    Put(cache, space, "b", "other");
    EXPECT_EQ(Get(cache, space, "a"), "(absent)");
  }
  EXPECT_EQ(held->view(), "first");
}

// D6: least recently used out first, not first in.
TEST(PredictionCache, D6ALookupSavesAnEntryFromEviction) {
  PredictionCache cache(RoomFor(3, 1, 1));
  Space space = cache.AddSpace();
  for (const char* key : {"a", "b", "c"}) Put(cache, space, key, "v");
  EXPECT_EQ(Get(cache, space, "a"), "v");
  Put(cache, space, "d", "v");
  EXPECT_EQ(Get(cache, space, "a"), "v");
  EXPECT_EQ(Get(cache, space, "b"), "(absent)");
}

// A plain least-recently-used cache of charged entries.
class ReferenceLru {
 public:
  using Id = std::pair<int, std::string>;
  ReferenceLru(size_t capacity, std::vector<size_t> quotas)
      : capacity_(capacity), quotas_(std::move(quotas)) {}

  const std::string* Lookup(const Id& id) {
    auto found = Find(id);
    if (found == order_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found);
    return &order_.front().second;
  }
  bool Insert(const Id& id, const std::string& value) {
    size_t charge = PredictionCache::Charge(id.second.size(), value.size());
    if (charge > capacity_ || (quotas_[id.first] != 0 && charge > quotas_[id.first])) return false;
    Erase(id);
    order_.emplace_front(id, value);
    while (quotas_[id.first] != 0 && Bytes(id.first) > quotas_[id.first]) DropLast(id.first);
    while (Bytes() > capacity_) order_.pop_back();
    return true;
  }
  bool Erase(const Id& id) {
    auto found = Find(id);
    if (found == order_.end()) return false;
    order_.erase(found);
    return true;
  }
  void EraseSpace(int space) {
    order_.remove_if([space](const auto& entry) { return entry.first.first == space; });
  }
  size_t Bytes(int space = -1) const {
    size_t sum = 0;
    for (const auto& [id, value] : order_) {
      if (space < 0 || id.first == space) {
        sum += PredictionCache::Charge(id.second.size(), value.size());
      }
    }
    return sum;
  }
  size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::pair<Id, std::string>>;  // most recent first
  Order::iterator Find(const Id& id) {
    return std::find_if(order_.begin(), order_.end(), [&](auto& e) { return e.first == id; });
  }
  void DropLast(int space) {
    auto last = std::find_if(order_.rbegin(), order_.rend(),
                             [space](auto& e) { return e.first.first == space; });
    order_.erase(std::next(last).base());
  }
  const size_t capacity_;
  const std::vector<size_t> quotas_;
  Order order_;
};

class RandomOperations : public testing::TestWithParam<std::tuple<uint32_t, int>> {};

// D6 and D2 together: random operations agree with the reference model after every step.
TEST_P(RandomOperations, AgreeWithAPlainLruModel) {
  auto [seed, hash_bits] = GetParam();
  std::mt19937 random(seed);
  auto draw = [&random](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  CacheOptions options = AdmittingAll(12000);  // one shard, so the order is exact
  options.hash_bits = hash_bits;
  PredictionCache cache(options);
  const std::vector<size_t> quotas = {0, 4000, 700};
  ReferenceLru model(options.capacity_bytes, quotas);
  std::vector<Space> spaces;
  for (size_t quota : quotas) spaces.push_back(cache.AddSpace(quota));

  for (int step = 0; step < 6000; ++step) {
    int which = draw(3);
    std::string key(static_cast<size_t>(1 + draw(60)), static_cast<char>('a' + draw(3)));
    auto at = cache.MakeKey(spaces[which], key);
    int action = draw(100);
    if (action < 45) {
      const std::string* expected = model.Lookup({which, key});
      auto got = cache.Lookup(at);
      ASSERT_EQ(got.has_value(), expected != nullptr) << "step " << step;
      if (got) {
        ASSERT_EQ(got->view(), *expected) << "step " << step;
      }
    } else if (action < 90) {
      size_t size = static_cast<size_t>(draw(20) == 0 ? draw(13000) : draw(300));
      std::string value(size, static_cast<char>(draw(256)));
      ASSERT_EQ(cache.Insert(at, value), model.Insert({which, key}, value)) << "step " << step;
    } else if (action < 99) {
      ASSERT_EQ(cache.Erase(at), model.Erase({which, key})) << "step " << step;
    } else {
      model.EraseSpace(which);
      cache.EraseSpace(spaces[which]);
      cache.Reclaim();
      spaces[which] = cache.AddSpace(quotas[which]);
    }
    ASSERT_EQ(cache.stats().entries, model.size()) << "step " << step;
    ASSERT_EQ(cache.stats().bytes, model.Bytes()) << "step " << step;
    ASSERT_EQ(cache.stats(spaces[which]).bytes, model.Bytes(which)) << "step " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations,
                         testing::Combine(testing::Values(1u, 2u, 3u), testing::Values(64, 8, 0)));

TEST(PredictionCache, ShardsTogetherStayWithinTheCapacity) {
  const CacheOptions options = AdmittingAll(size_t{4} << 20);
  PredictionCache cache(options);
  Space space = cache.AddSpace();
  for (int i = 0; i < 40000; ++i) {
    Put(cache, space, std::to_string(i), std::string(200, 'v'));
    if (i % 1000 == 0) {
      ASSERT_LE(cache.stats().bytes, options.capacity_bytes);
    }
  }
  CacheStats stats = cache.stats();
  EXPECT_LE(stats.bytes, options.capacity_bytes);
  EXPECT_GT(stats.bytes, options.capacity_bytes - 1000);
  EXPECT_EQ(stats.inserts, stats.entries + stats.evictions);
}

TEST(PredictionCache, AnEntryAsLargeAsTheWholeCacheIsKeptWhateverTheShards) {
  const CacheOptions options = AdmittingAll(size_t{16} << 20);
  PredictionCache cache(options);
  Space space = cache.AddSpace();
  for (int i = 0; i < 1000; ++i) Put(cache, space, std::to_string(i), std::string(1000, 'v'));
  std::string large(options.capacity_bytes - PredictionCache::Charge(5, 16), 'L');
  EXPECT_TRUE(Put(cache, space, "large", large));
  EXPECT_EQ(Get(cache, space, "large"), large);
  EXPECT_LE(cache.stats().bytes, options.capacity_bytes);
  EXPECT_FALSE(Put(cache, space, "larger", large + large));
}

TEST(PredictionCache, AQuotaHoldsAcrossShardsAndSparesOtherSpaces) {
  const CacheOptions options = AdmittingAll(size_t{16} << 20);
  PredictionCache cache(options);
  Space bounded = cache.AddSpace(10 * PredictionCache::Charge(6, 100));
  Space other = cache.AddSpace();
  for (int i = 100000; i < 101000; ++i) {
    Put(cache, other, std::to_string(i), std::string(100, 'o'));
    Put(cache, bounded, std::to_string(i), std::string(100, 'b'));
    ASSERT_EQ(Get(cache, bounded, std::to_string(i)), std::string(100, 'b'));
  }
  EXPECT_EQ(cache.stats(bounded).entries, 10u);
  EXPECT_EQ(cache.stats(other).entries, 1000u);
}

TEST(PredictionCache, NothingIsKeptWithoutCapacity) {
  CacheOptions options;
  options.capacity_bytes = 0;
  PredictionCache cache(options);
  Space space = cache.AddSpace();
  EXPECT_FALSE(Put(cache, space, "k", "v"));
  EXPECT_EQ(Get(cache, space, "k"), "(absent)");
}

TEST(PredictionCache, AnEntryExpiresAtItsTtl) {
  ManualClock clock(100);
  PredictionCache cache({}, clock);
  Space space = cache.AddSpace();
  Put(cache, space, "short", "v", 10);
  Put(cache, space, "long", "v");
  clock.Advance(9);
  EXPECT_EQ(Get(cache, space, "short"), "v");
  clock.Advance(1);
  EXPECT_EQ(Get(cache, space, "short"), "(absent)");
  EXPECT_EQ(Get(cache, space, "long"), "v");
  EXPECT_EQ(cache.stats().expired, 1u);
  EXPECT_EQ(cache.stats().entries, 1u);
}

TEST(PredictionCache, ATtlThatWouldOverflowNeverExpires) {
  ManualClock clock(100);
  PredictionCache cache({}, clock);
  Space space = cache.AddSpace();
  Put(cache, space, "k", "v", kNever - 1);
  clock.Advance(kNever / 2);
  EXPECT_EQ(Get(cache, space, "k"), "v");
}

TEST(PredictionCache, AnErasedSpaceGivesNothingAndTakesNothing) {
  PredictionCache cache({});
  Space space = cache.AddSpace();
  Put(cache, space, "k", "v");
  cache.EraseSpace(space);
  EXPECT_EQ(Get(cache, space, "k"), "(absent)");
  EXPECT_FALSE(Put(cache, space, "k", "v"));
  EXPECT_FALSE(cache.Erase(cache.MakeKey(space, "k")));
  EXPECT_EQ(cache.stats(space).entries, 0u);
  cache.EraseSpace(space);
}

TEST(PredictionCache, ASpaceInTheSlotOfAnErasedOneStartsEmpty) {
  PredictionCache cache({});
  Space space = cache.AddSpace();
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(Put(cache, space, "k", std::to_string(i)));
    cache.EraseSpace(space);
    Space next = cache.AddSpace();
    ASSERT_NE(next, space);
    ASSERT_EQ(SpaceSlot(next), SpaceSlot(space));
    ASSERT_EQ(Get(cache, next, "k"), "(absent)");
    space = next;
  }
}

TEST(PredictionCache, ReclaimGivesBackWhatErasedSpacesHeld) {
  PredictionCache cache({});
  Space gone = cache.AddSpace(), kept = cache.AddSpace();
  for (int i = 0; i < 1000; ++i) Put(cache, gone, std::to_string(i), "v");
  Put(cache, kept, "k", "v");
  cache.EraseSpace(gone);
  EXPECT_EQ(cache.stats().entries, 1001u);
  EXPECT_EQ(cache.Reclaim(100), 100u);
  EXPECT_EQ(cache.Reclaim(), 900u);
  EXPECT_EQ(cache.Reclaim(), 0u);
  EXPECT_EQ(cache.stats().entries, 1u);
  EXPECT_EQ(Get(cache, kept, "k"), "v");
  EXPECT_EQ(cache.stats().erased, 1000u);
}

TEST(PredictionCache, InsertsDrainErasedSpacesBeforeAnythingLivingIsEvicted) {
  PredictionCache cache(RoomFor(100, 8, 8));
  Space gone = cache.AddSpace(), kept = cache.AddSpace();
  auto name = [](int i) { return std::to_string(10000000 + i); };
  for (int i = 0; i < 50; ++i) Put(cache, kept, name(i), "oldvalue");
  for (int i = 0; i < 50; ++i) Put(cache, gone, name(i), "goneones");
  cache.EraseSpace(gone);
  for (int i = 50; i < 100; ++i) Put(cache, kept, name(i), "newvalue");
  EXPECT_EQ(cache.stats().evictions, 0u);
  EXPECT_EQ(cache.stats(kept).entries, 100u);
}

TEST(PredictionCache, UnknownSpacesAreRefused) {
  PredictionCache cache({});
  EXPECT_FALSE(Put(cache, PredictionCache::kNoSpace, "k", "v"));
  EXPECT_FALSE(Put(cache, 12345, "k", "v"));
  EXPECT_EQ(Get(cache, 12345, "k"), "(absent)");
}

TEST(PredictionCache, ThreadsShareItWhileSpacesComeAndGo) {
  const CacheOptions options = AdmittingAll(size_t{4} << 20);
  PredictionCache cache(options);
  Space steady = cache.AddSpace(size_t{1} << 20);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<uint32_t>(t));
      Space mine = cache.AddSpace();
      for (int i = 0; i < 8000; ++i) {
        std::string key = std::to_string(random() % 3000);
        Space space = i % 2 == 0 ? steady : mine;
        auto at = cache.MakeKey(space, key);
        if (auto value = cache.Lookup(at)) {
          if (value->view() != key + std::string(500, 'x')) ++wrong;
        } else {
          cache.Insert(at, key + std::string(500, 'x'));
        }
        if (i % 500 == 499) {
          cache.EraseSpace(mine);
          mine = cache.AddSpace();
          cache.stats();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cache.stats().bytes, options.capacity_bytes);
}

}  // namespace
}  // namespace skysail::cache
