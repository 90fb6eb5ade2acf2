// The batch queue against a plain list of what waits: nothing is lost or given out twice, the bounds
// hold, what has expired is given back, and a batch is of one group, within its limit, in order of
// deadline within each lane, and full when more could have gone. Which lane is next is fair_order.h's.
#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "batching/batch_queue.h"
#include "fuzz/script.h"

namespace skysail::batching {
namespace {

using Entries = std::vector<QueueEntry*>;

struct Waiting final : QueueEntry {
  std::string group;
  uint64_t arrival = 0;
};
const Waiting& Of(const QueueEntry* entry) { return *static_cast<const Waiting*>(entry); }

QueueOptions Bounds(fuzz::Script* script) {
  QueueOptions options;
  options.max_entries = script->Pick(64);
  options.max_rows = static_cast<int64_t>(script->Pick(128));
  return options;
}
int64_t RowsOf(const Entries& entries) {
  int64_t rows = 0;
  for (const QueueEntry* entry : entries) rows += entry->rows;
  return rows;
}

class Play {
 public:
  explicit Play(fuzz::Script* script)
      : script_(*script), options_(Bounds(script)), queue_(options_) {
    constexpr Priority kOf[] = {Priority::kHigh, Priority::kNormal, Priority::kLow};
    for (size_t more = script_.Pick(4); more > 0; --more) {
      weights_.push_back(static_cast<double>(1 + script_.Pick(4)));
      queue_.AddLane(kOf[script_.Pick(3)], weights_.back());
    }
  }

  void Run() {
    while (!script_.done()) {
      Step();
      Check();
    }
  }

 private:
  void Step() {
    Waiting& any = entries_[script_.Pick(entries_.size())];
    switch (script_.Pick(8)) {
      case 0:
        if (any.queued()) Remove(&any);
        break;
      case 1:
        TakeExpired();
        break;
      case 2:
      case 3:
        Take();
        break;
      case 4:
        now_ += script_.Pick(8);
        break;
      case 5: {
        const size_t lane = script_.Pick(weights_.size());
        weights_[lane] = static_cast<double>(1 + script_.Pick(4));
        queue_.SetWeight(static_cast<uint32_t>(lane), weights_[lane]);
        break;
      }
      default:
        if (!any.queued()) Push(&any);
    }
  }

  void Push(Waiting* entry) {
    entry->deadline = script_.Flip() ? kNever : now_ + static_cast<TimeNs>(script_.Pick(32));
    entry->rows = static_cast<int64_t>(1 + (script_.Flip() ? 0 : script_.Pick(16)));
    entry->lane = static_cast<uint32_t>(script_.Pick(weights_.size()));
    entry->group = std::string(1, static_cast<char>('a' + script_.Pick(3)));
    const bool fits = waiting_.size() < options_.max_entries &&
                      RowsOf(waiting_) + entry->rows <= options_.max_rows;
    const int64_t before = queue_.RowsBefore(*entry);
    SKYSAIL_HOLDS(before >= 0 && before <= RowsOf(waiting_));
    if (!fits) CheckInTheWay(*entry);
    SKYSAIL_HOLDS(queue_.Push(entry, entry->group) == fits);
    SKYSAIL_HOLDS(entry->queued() == fits);
    if (!fits) return;
    entry->arrival = ++arrivals_;
    waiting_.push_back(entry);
  }

  void CheckInTheWay(const Waiting& entry) const {
    double most = 0;
    for (size_t lane = 0; lane < weights_.size(); ++lane) most = std::max(most, Backlog(lane));
    const double with_it =
        Backlog(entry.lane) + static_cast<double>(entry.rows) / weights_[entry.lane];
    const QueueEntry* const leaves = queue_.InTheWayOf(entry);
    SKYSAIL_HOLDS((leaves == nullptr) == (with_it >= most));
    if (leaves == nullptr) return;
    SKYSAIL_HOLDS(leaves->lane != entry.lane && Backlog(leaves->lane) == most);
    for (const QueueEntry* other : waiting_) {
      SKYSAIL_HOLDS(other->lane != leaves->lane || Of(other).arrival <= Of(leaves).arrival);
    }
  }

  void Remove(Waiting* entry) {
    queue_.Remove(entry);
    Left({entry});
  }

  // They were waiting, and each left once.
  void Left(const Entries& gone) {
    for (QueueEntry* entry : gone) {
      const auto at = std::find(waiting_.begin(), waiting_.end(), entry);
      SKYSAIL_HOLDS(at != waiting_.end() && !entry->queued());
      waiting_.erase(at);
    }
  }

  // Earliest deadline first, then first come.
  static void Sort(Entries* entries) {
    std::sort(entries->begin(), entries->end(), [](const QueueEntry* a, const QueueEntry* b) {
      return a->deadline != b->deadline ? a->deadline < b->deadline
                                        : Of(a).arrival < Of(b).arrival;
    });
  }
  template <typename Condition>
  Entries Those(Condition condition) const {
    Entries those;
    std::copy_if(waiting_.begin(), waiting_.end(), std::back_inserter(those), condition);
    Sort(&those);
    return those;
  }

  void TakeExpired() {
    const Entries due = Those([this](const QueueEntry* entry) { return entry->deadline <= now_; });
    Entries expired;
    queue_.TakeExpired(now_, &expired);
    SKYSAIL_HOLDS(expired == due);
    Left(expired);
  }

  void Take() {
    const auto limit = static_cast<int64_t>(1 + script_.Pick(24));
    const auto needed = static_cast<TimeNs>(script_.Pick(8));
    const Entries late =
        Those([&](const QueueEntry* entry) { return entry->deadline < now_ + needed; });
    const int64_t foretold = queue_.NextBatchRows(limit);
    Entries batch, expired;
    queue_.Take(limit, now_, needed, &batch, &expired);
    SKYSAIL_HOLDS(expired == late);
    Left(expired);
    SKYSAIL_HOLDS(batch.empty() == waiting_.empty());
    if (batch.empty()) return;
    const bool single_rows = CheckBatch(batch, limit);
    if (late.empty() && (weights_.size() == 1 || single_rows)) {
      SKYSAIL_HOLDS(foretold == RowsOf(batch));
    }
    Left(batch);
  }

  // The batch against what still counts as waiting; whether all entries of its group have one row.
  bool CheckBatch(const Entries& batch, int64_t limit) const {
    const int64_t rows = RowsOf(batch);
    SKYSAIL_HOLDS(rows <= limit || batch.size() == 1);
    const QueueEntry& first = *batch.front();
    SKYSAIL_HOLDS(Those([&](const QueueEntry* entry) { return entry->lane == first.lane; })
                      .front() == &first);
    size_t in_order = 0;
    bool all_taken = true, next_is_too_large = false, single_rows = true;
    for (uint32_t lane = 0; lane < weights_.size(); ++lane) {
      const Entries of_lane = Those([&](const QueueEntry* entry) {
        return entry->lane == lane && Of(entry).group == Of(&first).group;
      });
      Entries taken;
      std::copy_if(batch.begin(), batch.end(), std::back_inserter(taken),
                   [&](const QueueEntry* entry) { return entry->lane == lane; });
      SKYSAIL_HOLDS(taken.size() <= of_lane.size());
      SKYSAIL_HOLDS(std::equal(taken.begin(), taken.end(), of_lane.begin()));
      in_order += taken.size();
      for (const QueueEntry* entry : of_lane) single_rows = single_rows && entry->rows == 1;
      if (taken.size() == of_lane.size()) continue;
      all_taken = false;
      next_is_too_large = next_is_too_large || rows + of_lane[taken.size()]->rows > limit;
    }
    SKYSAIL_HOLDS(in_order == batch.size());  // and so all are of one group
    SKYSAIL_HOLDS(all_taken || next_is_too_large);
    return single_rows;
  }

  double Backlog(size_t lane) const {
    int64_t rows = 0;
    for (const QueueEntry* entry : waiting_) rows += entry->lane == lane ? entry->rows : 0;
    return static_cast<double>(rows) / weights_[lane];
  }

  void Check() const {
    SKYSAIL_HOLDS(queue_.entries() == waiting_.size() && queue_.rows() == RowsOf(waiting_));
    TimeNs next = kNever;
    for (const QueueEntry* entry : waiting_) next = std::min(next, entry->deadline);
    SKYSAIL_HOLDS(queue_.NextDeadline() == next);
    for (uint32_t lane = 0; lane < weights_.size(); ++lane) {
      SKYSAIL_HOLDS(queue_.Backlog(lane) == Backlog(lane));
    }
  }

  fuzz::Script& script_;
  const QueueOptions options_;
  std::array<Waiting, 48> entries_;  // they outlive the queue
  BatchQueue queue_;
  std::vector<double> weights_{1};  // of the lanes
  Entries waiting_;
  TimeNs now_ = 0;
  uint64_t arrivals_ = 0;
};

}  // namespace
}  // namespace skysail::batching

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  skysail::fuzz::Script script(skysail::fuzz::Text(data, size));
  skysail::batching::Play(&script).Run();
  return 0;
}
