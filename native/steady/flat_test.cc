// What a service keeps after very many calls: nothing. A sanitized build makes a fiftieth of them; with
// SKYSAIL_SOAK set (`make soak`) the mesh, too, answers the full million.
#include <dirent.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "steady/caller.h"
#include "steady/heap.h"
#include "steady/plane.h"

namespace skysail::steady {
namespace {

using services::CallScope;
using services::InferCall;
using services::InferCompletion;
using services::InferResponse;
using services::testing::Gate;
using services::testing::HandLoop;

const bool kSoak = std::getenv("SKYSAIL_SOAK") != nullptr;

constexpr uint64_t kMillion = 1'000'000;

uint64_t Calls(uint64_t count) { return kHeapCounted ? count : count / 50; }

int Entries(const char* folder) {
  int count = 0;
  DIR* const opened = opendir(folder);
  while (readdir(opened) != nullptr) ++count;
  closedir(opened);
  return count;
}

int64_t ResidentBytes() {
  long pages = 0, resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (std::fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  std::fclose(file);
  return int64_t{resident} * 4096;
}

// What the process holds now, and whether that has grown since.
struct Held {
  int64_t live = LiveBytes(), resident = ResidentBytes();
  int threads = Entries("/proc/self/task"), descriptors = Entries("/proc/self/fd");

  // The heap itself is exact but for what grows by doubling and for calls at the edge of the
  // measurement. What is resident also has what malloc keeps for each thread (an arena of blocks that
  // were freed, up to a few MiB each), so it may only tell of a leak that is larger.
  void ExpectFlat() const {
    const Held now;
    if (kHeapCounted) {
      EXPECT_LE(now.live - live, 64 << 10) << "heap";
      EXPECT_LE(now.resident - resident, 8 << 20) << "resident";
    }
    EXPECT_EQ(now.threads, threads);
    EXPECT_EQ(now.descriptors, descriptors);
  }
};

Slice Distinct(uint64_t n, std::string_view name = "shop") {
  return Slice::Copy(services::testing::SumRequest(
      name, {static_cast<float>(n & 0xffff), static_cast<float>(n >> 16)}));
}

TEST(FlatTest, MemoryThreadsAndDescriptorsAreTheSameAfterAMillionCalls) {
  Plane plane({});
  HandLoop hand;
  Caller caller(hand, plane.address());
  const Slice request = Distinct(7);
  const auto same = [&request](uint64_t) { return request; };
  const uint64_t count = Calls(kMillion);
  ASSERT_EQ(caller.Many(count / 10, 64, same), count / 10);
  const Held before;
  EXPECT_EQ(caller.Many(count, 64, same), count);
  before.ExpectFlat();
}

TEST(FlatTest, AMeshIsAsFlat) {
  PlaneOptions options;
  options.mesh = true;
  Plane plane(options);
  HandLoop hand;
  Caller caller(hand, plane.address());
  const auto distinct = [](uint64_t n) { return Distinct(n); };
  const uint64_t count = Calls(kSoak ? kMillion : kMillion / 10);
  ASSERT_EQ(caller.Many(count / 10, 64, distinct), count / 10);
  const Held before;
  EXPECT_EQ(caller.Many(count, 64, distinct), count);
  before.ExpectFlat();
}

// Once full, the cache holds its budget, however many distinct answers pass through it.
TEST(FlatTest, AFullCacheStaysAtItsBudget) {
  cache::CacheOptions options;
  options.capacity_bytes = size_t{4} << 20;
  cache::PredictionCache cache(options);
  const cache::Space space = cache.AddSpace(0);
  const std::string value(200, 'v');
  uint64_t n = 0;
  const auto insert = [&](uint64_t count) {
    for (const uint64_t end = n + count; n < end; ++n) {
      const std::string key = "key " + std::to_string(n);
      cache.Insert(cache.MakeKey(space, key), value, 0);
    }
  };
  const uint64_t count = Calls(kMillion);
  insert(count / 10);
  const Held before;
  insert(count);
  before.ExpectFlat();
  EXPECT_LE(cache.stats().bytes, options.capacity_bytes);
}

// Counts how calls ended.
struct Ends {
  uint64_t late = 0, other = 0;
};
class Count final : public InferCompletion {
 public:
  explicit Count(Ends& ends) : ends_(ends) {}
  void Done(InferResponse response) override {
    ++(response.status.kind() == ErrorKind::kDeadlineExceeded ? ends_.late : ends_.other);
  }

 private:
  Ends& ends_;
};

// D8: entries of expired queries do not stay in flight for ever. With the cache on, each of these
// queries is also one that later equal ones could join.
TEST(FlatTest, NothingIsKeptOfDistinctQueriesThatAllMissTheirDeadline) {
  Gate gate;
  TestReplica replica([&gate](services::ModelTask& task) {
    gate.Pass();
    TestReplica::Sum(task);
  });
  HandLoop hand;
  auto batcher = std::make_shared<services::Batcher>(hand.loops(), services::BatcherOptions{});
  services::ServedVersion version;
  version.model = "sum";
  version.version = "1";
  version.digest = "one";
  version.signature = services::testing::SumSignature();
  version.replicas = {{"replica", replica.address()}};
  ASSERT_TRUE(batcher->Publish({version}, 1).ok());
  services::Application application;
  application.name = "sum";
  application.models = {"sum"};
  auto selector = std::make_shared<services::Selector>(hand.loops(), batcher);
  ASSERT_TRUE(selector->Publish({application}, {{"sum", {{"1", 1.0}}, ""}}, 1).ok());
  services::Frontend frontend(hand.loops(), selector);
  ASSERT_TRUE(frontend.Publish({application}, 1).ok());

  // Behind a frontend, which ends a call that is late, and without one.
  Ends ends;
  uint64_t asked = 0;
  const auto miss = [&](services::InferService& service, uint64_t count) {
    constexpr uint64_t kAtOnce = 10'000;
    for (const uint64_t end = asked + count; asked < end;) {
      const TimeNs deadline = SystemClock::Get().Now() + 2 * kMillisecond;
      for (uint64_t i = 0; i < kAtOnce && asked < end; ++i, ++asked) {
        auto request = services::ReadRequest(Distinct(asked, "sum"), false);
        service.Infer(InferCall(std::move(request.value()), deadline,
                                 std::make_shared<CallScope>(hand.loop()),
                                 std::make_unique<Count>(ends)));
      }
      ASSERT_TRUE(hand.Until([&] { return ends.late + ends.other == asked; }));
    }
  };
  const uint64_t count = Calls(kMillion);
  services::InferService* const services[] = {&frontend, batcher.get()};
  for (services::InferService* service : services) miss(*service, count / 20);
  const Held before;
  for (services::InferService* service : services) miss(*service, count);
  before.ExpectFlat();
  EXPECT_EQ(ends.late, asked);
  EXPECT_EQ(ends.other, 0u);
  gate.Open();
  const auto next = services::testing::Asked::Ask(
      frontend, hand.loop(), services::testing::SumRequest("sum", {3, 4}));
  ASSERT_TRUE(hand.Until([&next] { return next.done(); }));
  EXPECT_EQ(next.floats(), (std::vector<float>{7}));
}

TEST(FlatTest, AThousandConnectionsComeAndGoWithoutATrace) {
  Plane plane({});
  HandLoop hand;
  const Slice request = Distinct(7);
  const auto come_and_go = [&](int count) {
    for (int i = 0; i < count; ++i) {
      Caller caller(hand, plane.address());
      ASSERT_FALSE(caller.Ask(request).empty()) << i;
      if (i % 2 == 0) caller.AskAndLeave(request);
    }
  };
  come_and_go(50);
  hand.For(50 * kMillisecond);
  const Held before;
  come_and_go(kHeapCounted ? 1000 : 100);
  ASSERT_TRUE(hand.Until([&] { return Entries("/proc/self/fd") <= before.descriptors; }));
  before.ExpectFlat();
}

}  // namespace
}  // namespace skysail::steady
