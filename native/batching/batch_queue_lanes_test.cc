// Lanes of a BatchQueue: shares by weight, classes of priority, and who must make room.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "batching/batch_queue.h"

namespace skysail::batching {
namespace {

using testing::ElementsAre;

struct Waiting final : QueueEntry {
  Waiting(uint32_t in_lane, TimeNs deadline_at, int64_t row_count = 1) {
    lane = in_lane;
    deadline = deadline_at;
    rows = row_count;
  }
  std::string group;
};

// A queue and the entries that it was ever given.
class Filled {
 public:
  explicit Filled(QueueOptions options = {}) : queue(options) {}
  Waiting* Push(uint32_t lane, TimeNs deadline = kNever, int64_t rows = 1,
                const std::string& group = "") {
    all.push_back(std::make_unique<Waiting>(lane, deadline, rows));
    all.back()->group = group;
    return queue.Push(all.back().get(), group) ? all.back().get() : nullptr;
  }
  void Fill(uint32_t lane, int count) {
    for (int i = 0; i < count; ++i) Push(lane);
  }
  std::vector<Waiting*> Take(int64_t limit) {
    std::vector<QueueEntry*> batch, expired;
    queue.Take(limit, 0, 0, &batch, &expired);
    std::vector<Waiting*> taken;
    for (QueueEntry* entry : batch) taken.push_back(static_cast<Waiting*>(entry));
    return taken;
  }
  // Rows by lane of the next batch.
  std::map<uint32_t, int64_t> TakeByLane(int64_t limit) {
    std::map<uint32_t, int64_t> rows;
    for (const Waiting* entry : Take(limit)) rows[entry->lane] += entry->rows;
    return rows;
  }
  std::vector<std::unique_ptr<Waiting>> all;
  BatchQueue queue;  // lets go of the entries before they go
};

TEST(Lanes, AFullBatchIsSharedByWeight) {
  Filled filled;
  const uint32_t heavy = filled.queue.AddLane(Priority::kNormal, 3);
  filled.Fill(0, 1000);
  filled.Fill(heavy, 1000);
  for (int batch = 0; batch < 10; ++batch) {
    const auto rows = filled.TakeByLane(40);
    EXPECT_EQ(rows.at(0), 10);
    EXPECT_EQ(rows.at(heavy), 30);
  }
}

TEST(Lanes, WhoWasAwayBeginsWhereTheOthersAre) {
  Filled filled;
  const uint32_t other = filled.queue.AddLane(Priority::kNormal, 1);
  filled.Fill(0, 1000);
  for (int batch = 0; batch < 20; ++batch) filled.Take(20);
  filled.Fill(other, 1000);
  EXPECT_NEAR(static_cast<double>(filled.TakeByLane(100).at(0)), 50, 1) << "nothing was saved up";
}

TEST(Lanes, ABatchWithRoomForAllTakesAll) {
  Filled filled;
  const uint32_t low = filled.queue.AddLane(Priority::kLow, 1);
  const uint32_t other = filled.queue.AddLane(Priority::kNormal, 5);
  for (const uint32_t lane : {low, other, 0u}) filled.Fill(lane, 3);
  EXPECT_EQ(filled.queue.NextBatchRows(9), 9);
  EXPECT_EQ(filled.Take(9).size(), 9u);
}

TEST(Lanes, WithinALaneTheEarliestDeadlineGoesFirst) {
  Filled filled;
  const uint32_t other = filled.queue.AddLane(Priority::kNormal, 1);
  std::vector<TimeNs> deadlines;
  for (const TimeNs at : {70, 10, 40}) {
    filled.Push(0, at);
    filled.Push(other, at + 5);
  }
  for (const Waiting* entry : filled.Take(4)) deadlines.push_back(entry->deadline);
  EXPECT_THAT(deadlines, ElementsAre(10, 15, 40, 45));
}

TEST(Lanes, AHigherClassGoesFirstAndALowerOneIsGivenAnEighth) {
  Filled filled;
  const uint32_t high = filled.queue.AddLane(Priority::kHigh, 1);
  const uint32_t low = filled.queue.AddLane(Priority::kLow, 1);
  filled.Fill(low, 500);
  filled.Fill(high, 2000);
  EXPECT_EQ(filled.TakeByLane(7).at(high), 7);
  int64_t to_low = 0;
  for (int batch = 0; batch < 80; ++batch) to_low += filled.TakeByLane(10)[low];
  EXPECT_NEAR(static_cast<double>(to_low), 100, 1);
}

TEST(Lanes, OneLargeEntryOfALowerClassIsPaidForAfterwards) {
  Filled filled;
  const uint32_t high = filled.queue.AddLane(Priority::kHigh, 1);
  const uint32_t low = filled.queue.AddLane(Priority::kLow, 1);
  for (int i = 0; i < 5; ++i) filled.Push(low, kNever, 100);
  filled.Fill(high, 3000);
  int64_t to_high = 0, to_low = 0;
  while (to_high < 2000) {
    for (const Waiting* entry : filled.Take(1)) {
      (entry->lane == high ? to_high : to_low) += entry->rows;
    }
  }
  EXPECT_EQ(to_low, 300) << "at 7, 707 and 1407 rows";
}

TEST(Lanes, TheLaneThatHoldsTheMostMakesRoom) {
  Filled filled({4, 1000});
  const uint32_t polite = filled.queue.AddLane(Priority::kNormal, 1);
  filled.Push(0, 10);
  filled.Push(0, 20);
  filled.Push(0, 5);
  Waiting* const youngest = filled.Push(0, 1);
  Waiting flooding(0, 0), late(polite, 50);
  EXPECT_FALSE(filled.queue.Push(&flooding, ""));
  EXPECT_EQ(filled.queue.InTheWayOf(flooding), nullptr) << "its own lane has the most";
  EXPECT_FALSE(filled.queue.Push(&late, ""));
  ASSERT_EQ(filled.queue.InTheWayOf(late), youngest);
  filled.queue.Remove(youngest);
  ASSERT_TRUE(filled.queue.Push(&late, ""));
  Waiting second(polite, 60), third(polite, 70);
  QueueEntry* const next = filled.queue.InTheWayOf(second);
  ASSERT_NE(next, nullptr);
  filled.queue.Remove(next);
  ASSERT_TRUE(filled.queue.Push(&second, ""));
  EXPECT_EQ(filled.queue.InTheWayOf(third), nullptr) << "two each is fair";
  filled.queue.Remove(&late);
  filled.queue.Remove(&second);
}

TEST(Lanes, RowsBeforeCountsWhatClassAndWeightLetGoFirst) {
  Filled filled;
  const uint32_t polite = filled.queue.AddLane(Priority::kNormal, 1);
  const uint32_t high = filled.queue.AddLane(Priority::kHigh, 1);
  const uint32_t low = filled.queue.AddLane(Priority::kLow, 1);
  filled.Fill(0, 100);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(0, kNever)), 100);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(0, 5)), 0) << "the first deadline of the only lane";
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(polite, kNever)), 1) << "turn by turn";
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(polite, kNever, 8)), 8);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(high, kNever)), 0);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(low, kNever)), 7) << "one in eight at the least";
  filled.Fill(high, 3);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(low, kNever)), 7);
  EXPECT_EQ(filled.queue.RowsBefore(Waiting(polite, kNever)), 4);
}

// What is promised, after any history of arrivals, departures and batches, whatever groups divide them.
class AnyHistory : public testing::TestWithParam<uint32_t> {};

TEST_P(AnyHistory, KeepsSharesBoundsAndOrder) {
  std::mt19937 random(GetParam());
  const auto draw = [&random](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  constexpr int64_t kMostRows = 4, kMostLimit = 24;
  // Rows by which a class may lag behind its eighth: a batch that it cannot be in, and what one entry
  // took more than was owed.
  constexpr int64_t kSlack = FairOrder::kRowsAbove * (1 + kMostRows) + kMostLimit + kMostRows;
  Filled filled;
  std::vector<Priority> classes{Priority::kNormal};
  for (int i = 0; i < 8; ++i) {
    classes.push_back(static_cast<Priority>(draw(kPriorities)));
    filled.queue.AddLane(classes.back(), static_cast<double>(1 + draw(4)));
  }
  std::vector<Waiting*> waiting;
  std::array<int64_t, kPriorities> above{}, given{};  // since the class began to wait
  const auto in_class = [&](size_t c) {
    return std::any_of(waiting.begin(), waiting.end(), [&](const Waiting* entry) {
      return static_cast<size_t>(classes[entry->lane]) == c;
    });
  };
  int64_t busy_batches = 0;
  for (int step = 0; step < 4000; ++step) {
    const int64_t action = draw(100);
    if (action < 80) {
      const auto lane = static_cast<uint32_t>(draw(static_cast<int64_t>(classes.size())));
      waiting.push_back(filled.Push(lane, draw(8) == 0 ? kNever : draw(1000), 1 + draw(kMostRows),
                                    std::string(static_cast<size_t>(draw(3)), 'g')));
      continue;
    }
    if (action < 84 && !waiting.empty()) {
      const auto at = static_cast<size_t>(draw(static_cast<int64_t>(waiting.size())));
      filled.queue.Remove(waiting[at]);
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const int64_t limit = 1 + draw(kMostLimit);
      const std::vector<Waiting*> batch = filled.Take(limit);
      ASSERT_EQ(batch.empty(), waiting.empty());
      busy_batches += batch.size() > 1 ? 1 : 0;
      int64_t rows = 0;
      for (Waiting* entry : batch) {
        ASSERT_EQ(entry->group, batch.front()->group);
        rows += entry->rows;
        for (const Waiting* other : waiting) {  // of its lane and group nobody was due earlier
          if (other->lane == entry->lane && other->group == entry->group) {
            ASSERT_LE(entry->deadline, other->deadline);
          }
        }
        waiting.erase(std::find(waiting.begin(), waiting.end(), entry));
        const auto own = static_cast<size_t>(classes[entry->lane]);
        given[own] += entry->rows;
        for (size_t below = own + 1; below < kPriorities; ++below) above[below] += entry->rows;
      }
      ASSERT_TRUE(rows <= limit || batch.size() == 1);
    }
    for (size_t c = 0; c < kPriorities; ++c) {
      if (!in_class(c)) above[c] = given[c] = 0;
      ASSERT_LE(above[c], FairOrder::kRowsAbove * given[c] + kSlack) << "class " << c << " starves";
    }
  }
  EXPECT_GT(busy_batches, 100);
}

// Two lanes of one class that both wait are never further apart than two entries, by weight.
TEST_P(AnyHistory, SharesAreHeldToAnEntry) {
  std::mt19937 random(GetParam());
  Filled filled;
  const double weight = 0.5 + static_cast<double>(random() % 8);
  const uint32_t other = filled.queue.AddLane(Priority::kNormal, weight);
  for (int i = 0; i < 4000; ++i) {
    filled.Push(0, static_cast<TimeNs>(random() % 1000), 1 + static_cast<int64_t>(random() % 5));
    filled.Push(other, static_cast<TimeNs>(random() % 9), 1 + static_cast<int64_t>(random() % 5));
  }
  double first = 0, second = 0;
  for (int batch = 0; batch < 100; ++batch) {
    auto rows = filled.TakeByLane(1 + static_cast<int64_t>(random() % 40));
    first += static_cast<double>(rows[0]);
    second += static_cast<double>(rows[other]) / weight;
    ASSERT_LE(std::abs(first - second), 5 + 5 / weight) << "batch " << batch;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, AnyHistory, testing::Range(1u, 21u));

}  // namespace
}  // namespace skysail::batching
