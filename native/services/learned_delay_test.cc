// The learned delay through the batcher itself: real timers, a real replica.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "services/batcher.h"
#include "services/replica_testing.h"
#include "services/testing.h"

namespace skysail::services {
namespace {

using testing::Asked;
using testing::HandLoop;
using testing::TestReplica;

constexpr int kCalls = 3000;
constexpr double kGapNs = 250e3;

struct Served {
  size_t batches = 0, turns = 0, ok = 0;
};

// A stream of calls at instants that do not depend on the answers, to a model that takes a millisecond
// for a batch of any size.
Served ServeStream(bool delay) {
  TestReplica replica(TestReplica::Slow(kMillisecond));
  HandLoop hand;
  Batcher batcher(hand.loops(), {});
  ServedVersion version;
  version.model = "sum";
  version.version = "1";
  version.signature = testing::SumSignature();
  version.cache = false;
  version.delay = delay;
  version.replicas.push_back({"replica", replica.address()});
  EXPECT_TRUE(batcher.Publish({version}, 1).ok());

  std::mt19937 random(5);
  std::exponential_distribution<double> gap(1 / kGapNs);
  std::vector<Asked> asked;
  Served served;
  const Clock& clock = SystemClock::Get();
  TimeNs next = clock.Now();
  while (asked.size() < kCalls) {
    for (; next <= clock.Now() && asked.size() < kCalls; next += static_cast<TimeNs>(gap(random))) {
      asked.push_back(Asked::Ask(batcher, hand.loop(), testing::SumRequest("sum", {1, 2}),
                                 clock.Now() + kSecond));
    }
    hand.loop().RunOnce(std::max<TimeNs>(next - clock.Now(), 0));
    ++served.turns;
  }
  EXPECT_TRUE(hand.Until([&asked] {
    return std::all_of(asked.begin(), asked.end(), [](const Asked& one) { return one.done(); });
  }));
  for (const Asked& one : asked) served.ok += one.kind() == ErrorKind::kOk ? 1 : 0;
  served.batches = replica.batch_rows().size();
  return served;
}

TEST(LearnedDelay, AStreamIsServedInFewerBatchesWithoutSpinning) {
  const Served at_once = ServeStream(false), held = ServeStream(true);
  EXPECT_LE(held.batches, at_once.batches / 2);
  EXPECT_GE(held.ok, static_cast<size_t>(kCalls * 99 / 100));
  // A turn for each call, and for each answer and timer: waiting takes none.
  EXPECT_LE(held.turns, size_t{3} * kCalls);
}

}  // namespace
}  // namespace skysail::services
