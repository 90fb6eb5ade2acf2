#include "batching/batch_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

namespace skysail::batching {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Waiting final : QueueEntry {
  explicit Waiting(int id, TimeNs deadline_at = kNever, int64_t row_count = 1) : id(id) {
    deadline = deadline_at;
    rows = row_count;
  }
  int id;
  std::string group;
};

std::vector<int> Ids(const std::vector<QueueEntry*>& entries) {
  std::vector<int> ids;
  for (QueueEntry* entry : entries) ids.push_back(static_cast<Waiting*>(entry)->id);
  return ids;
}

struct Taken {
  std::vector<QueueEntry*> batch, expired;
};
Taken Take(BatchQueue& queue, int64_t limit, TimeNs now = 0, TimeNs needed = 0) {
  Taken taken;
  queue.Take(limit, now, needed, &taken.batch, &taken.expired);
  return taken;
}

TEST(BatchQueue, TheEarliestDeadlineGoesFirstAndEqualOnesInOrderOfArrival) {
  BatchQueue queue({});
  Waiting late(1, 300), soon(2, 100), also_soon(3, 100), middle(4, 200), whenever(5);
  for (Waiting* entry : {&late, &soon, &also_soon, &middle, &whenever}) queue.Push(entry, "");
  EXPECT_EQ(queue.NextDeadline(), 100);
  EXPECT_THAT(Ids(Take(queue, 3).batch), ElementsAre(2, 3, 4));
  EXPECT_THAT(Ids(Take(queue, 3).batch), ElementsAre(1, 5));
  EXPECT_EQ(queue.NextDeadline(), kNever);
}

TEST(BatchQueue, GroupsNeverShareABatch) {
  BatchQueue queue({});
  Waiting a1(1, 100), b1(2, 50), a2(3, 20), b2(4, 400);
  queue.Push(&a1, "a");
  queue.Push(&b1, "b");
  queue.Push(&a2, "a");
  queue.Push(&b2, "b");
  EXPECT_THAT(Ids(Take(queue, 10).batch), ElementsAre(3, 1));
  EXPECT_THAT(Ids(Take(queue, 10).batch), ElementsAre(2, 4));
}

TEST(BatchQueue, AnEntryIsNeverSplitAndALargerOneGoesAlone) {
  BatchQueue queue({});
  Waiting large(1, 10, 100), three(2, 20, 3), two(3, 30, 2), one(4, 40, 1);
  for (Waiting* entry : {&large, &three, &two, &one}) queue.Push(entry, "");
  EXPECT_THAT(Ids(Take(queue, 4).batch), ElementsAre(1));
  EXPECT_THAT(Ids(Take(queue, 4).batch), ElementsAre(2));
  EXPECT_THAT(Ids(Take(queue, 4).batch), ElementsAre(3, 4));
}

TEST(BatchQueue, RefusesBeyondItsEntriesAndItsRows) {
  BatchQueue queue({3, 10});
  Waiting a(1, kNever, 4), b(2, kNever, 6), c(3), d(4);
  EXPECT_TRUE(queue.Push(&a, ""));
  EXPECT_TRUE(queue.Push(&b, ""));
  EXPECT_FALSE(queue.Push(&c, ""));
  EXPECT_FALSE(c.queued());
  queue.Remove(&a);
  EXPECT_TRUE(queue.Push(&c, "x"));
  EXPECT_TRUE(queue.Push(&d, "y"));
  EXPECT_FALSE(queue.Push(&a, ""));
  EXPECT_EQ(queue.entries(), 3u);
  EXPECT_EQ(queue.rows(), 8);
}

TEST(BatchQueue, ACallerThatLeavesTakesOnlyItself) {
  BatchQueue queue({});
  Waiting a(1, 10), b(2, 20), c(3, 30);
  for (Waiting* entry : {&a, &b, &c}) queue.Push(entry, "");
  queue.Remove(&b);
  EXPECT_FALSE(b.queued());
  EXPECT_THAT(Ids(Take(queue, 10).batch), ElementsAre(1, 3));
}

// D9: when the whole queue has expired as a replica asks, the next query is served.
TEST(BatchQueue, EveryExpiredEntryOfEveryGroupIsPutAside) {
  BatchQueue queue({});
  Waiting a(1, 10), b(2, 20), c(3, 30), alive(4, 500);
  queue.Push(&a, "x");
  queue.Push(&alive, "x");
  queue.Push(&b, "y");
  queue.Push(&c, "z");
  Taken taken = Take(queue, 10, 100, 50);
  EXPECT_THAT(Ids(taken.expired), ElementsAre(1, 2, 3));
  EXPECT_THAT(Ids(taken.batch), ElementsAre(4));
  EXPECT_TRUE(queue.empty());
  Waiting next(5, 500);
  queue.Push(&next, "x");
  EXPECT_THAT(Ids(Take(queue, 10, 100, 50).batch), ElementsAre(5));
}

TEST(BatchQueue, AnEntryThatCannotBeDoneInTimeCountsAsExpired) {
  BatchQueue queue({});
  Waiting tight(1, 149), just(2, 150);
  queue.Push(&tight, "");
  queue.Push(&just, "");
  Taken taken = Take(queue, 10, 100, 50);
  EXPECT_THAT(Ids(taken.expired), ElementsAre(1));
  EXPECT_THAT(Ids(taken.batch), ElementsAre(2));
}

TEST(BatchQueue, TakeExpiredLeavesTheLiving) {
  BatchQueue queue({});
  Waiting a(1, 10), b(2, 20), c(3, 30);
  queue.Push(&c, "x");
  queue.Push(&b, "y");
  queue.Push(&a, "x");
  std::vector<QueueEntry*> expired;
  queue.TakeExpired(9, &expired);
  EXPECT_THAT(Ids(expired), IsEmpty());
  queue.TakeExpired(20, &expired);
  EXPECT_THAT(Ids(expired), ElementsAre(1, 2));
  EXPECT_EQ(queue.entries(), 1u);
}

TEST(BatchQueue, DestroyingTheQueueLeavesItsEntriesFree) {
  Waiting entry(1);
  {
    BatchQueue queue({});
    queue.Push(&entry, "");
    EXPECT_TRUE(entry.queued());
  }
  EXPECT_FALSE(entry.queued());
}

// The same queue as a sorted list.
class ReferenceQueue {
 public:
  void Push(Waiting* entry) {
    auto later = [](Waiting* a, Waiting* b) { return a->deadline < b->deadline; };
    order_.insert(std::upper_bound(order_.begin(), order_.end(), entry, later), entry);
  }
  void Remove(Waiting* entry) { order_.erase(std::find(order_.begin(), order_.end(), entry)); }
  std::vector<int> Expire(TimeNs before) {
    std::vector<int> ids;
    while (!order_.empty() && order_.front()->deadline < before) {
      ids.push_back(order_.front()->id);
      order_.erase(order_.begin());
    }
    return ids;
  }
  std::vector<Waiting*> Next(int64_t limit) const {
    std::vector<Waiting*> batch;
    int64_t rows = 0;
    for (Waiting* entry : order_) {
      if (entry->group != order_.front()->group) continue;
      if (!batch.empty() && rows + entry->rows > limit) break;
      rows += entry->rows;
      batch.push_back(entry);
    }
    return batch;
  }
  const std::vector<Waiting*>& order() const { return order_; }

 private:
  std::vector<Waiting*> order_;  // by deadline, then arrival
};

class RandomOperations : public testing::TestWithParam<std::tuple<uint32_t, int>> {};

TEST_P(RandomOperations, AgreeWithAPlainSortedList) {
  auto [seed, most_rows] = GetParam();
  std::mt19937 random(seed);
  auto draw = [&random](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  std::vector<std::unique_ptr<Waiting>> entries;
  BatchQueue queue({});
  ReferenceQueue model;
  TimeNs now = 0;
  for (int step = 0; step < 5000; ++step) {
    now += draw(5);
    int64_t action = draw(100);
    if (action < 60) {
      TimeNs deadline = draw(10) == 0 ? kNever : now + draw(300);
      entries.push_back(std::make_unique<Waiting>(step, deadline, 1 + draw(most_rows)));
      Waiting* entry = entries.back().get();
      entry->group = std::string(static_cast<size_t>(draw(draw(20) == 0 ? 60 : 3)), 'g');
      entry->enqueued = now;
      ASSERT_TRUE(queue.Push(entry, entry->group));
      model.Push(entry);
    } else if (action < 70 && !model.order().empty()) {
      Waiting* entry =
          model.order()[static_cast<size_t>(draw(static_cast<int64_t>(model.order().size())))];
      queue.Remove(entry);
      model.Remove(entry);
    } else if (action < 75) {
      std::vector<QueueEntry*> expired;
      queue.TakeExpired(now, &expired);
      ASSERT_EQ(Ids(expired), model.Expire(now + 1));
    } else {
      int64_t limit = 1 + draw(30);
      TimeNs needed = draw(20);
      Taken taken = Take(queue, limit, now, needed);
      ASSERT_EQ(Ids(taken.expired), model.Expire(now + needed)) << "step " << step;
      std::vector<int> expected;
      for (Waiting* entry : model.Next(limit)) {
        expected.push_back(entry->id);
        model.Remove(entry);
      }
      ASSERT_EQ(Ids(taken.batch), expected) << "step " << step;
    }
    int64_t limit = 1 + draw(30), next_rows = 0, rows = 0;
    for (Waiting* entry : model.Next(limit)) next_rows += entry->rows;
    for (Waiting* entry : model.order()) rows += entry->rows;
    ASSERT_EQ(queue.NextBatchRows(limit), next_rows) << "step " << step;
    ASSERT_EQ(queue.rows(), rows);
    ASSERT_EQ(queue.entries(), model.order().size());
    ASSERT_EQ(queue.NextDeadline(),
              model.order().empty() ? kNever : model.order().front()->deadline);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOperations,
                         testing::Combine(testing::Values(1u, 2u, 3u), testing::Values(1, 7)));

}  // namespace
}  // namespace skysail::batching
