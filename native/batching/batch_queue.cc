#include "batching/batch_queue.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace skysail::batching {

struct QueueGroup;

struct EntryOrder {
  static bool Before(const QueueEntry* a, const QueueEntry* b) {
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->sequence_ < b->sequence_;
  }
  static size_t& Slot(QueueEntry* entry) { return entry->slot_; }
};

// What one lane has waiting of one group.
struct QueueCell {
  QueueCell(QueueGroup* group, QueueLane* lane) : group(group), lane(lane) {}
  QueueEntry* First() const { return entries.top(); }  // requires one

  QueueGroup* const group;
  QueueLane* const lane;
  SlotHeap<QueueEntry, EntryOrder> entries;
  size_t slot = kNoSlot;          // among all cells; none while the cell is empty
  size_t slot_in_lane = kNoSlot;  // among the lane's
};

namespace {

struct CellOrder {
  static bool Before(const QueueCell* a, const QueueCell* b) {
    return EntryOrder::Before(a->First(), b->First());
  }
  static size_t& Slot(QueueCell* cell) { return cell->slot; }
};
struct CellOrderInLane {
  static bool Before(const QueueCell* a, const QueueCell* b) { return CellOrder::Before(a, b); }
  static size_t& Slot(QueueCell* cell) { return cell->slot_in_lane; }
};

}  // namespace

struct QueueLane {
  void Append(QueueEntry* entry) {
    entry->older_ = youngest;
    entry->younger_ = nullptr;
    if (youngest != nullptr) youngest->younger_ = entry;
    youngest = entry;
  }
  void Unlink(QueueEntry* entry) {
    if (entry->older_ != nullptr) entry->older_->younger_ = entry->younger_;
    (entry->younger_ != nullptr ? entry->younger_->older_ : youngest) = entry->older_;
    entry->older_ = entry->younger_ = nullptr;
  }

  FairLane fair;
  SlotHeap<QueueCell, CellOrderInLane> cells;  // those with entries
  QueueEntry* youngest = nullptr;
};

// The entries that may share a batch.
struct QueueGroup {
  explicit QueueGroup(std::string_view text) : text(text) {}

  QueueCell* CellOf(QueueLane* lane) {
    for (const auto& cell : cells) {
      if (cell->lane == lane) return cell.get();
    }
    cells.push_back(std::make_unique<QueueCell>(this, lane));
    return cells.back().get();
  }

  const std::string text;
  std::vector<std::unique_ptr<QueueCell>> cells;  // one a lane that was ever seen with it
  size_t entries = 0;
  int64_t rows = 0;
  size_t idle_slot = kNoSlot;  // among the empty groups that are kept
};

struct BatchQueue::Impl {
  explicit Impl(QueueOptions options) : options(options) {}

  struct Chosen {
    QueueCell* cell;
    bool owed;  // see FairOrder
  };

  QueueGroup* GroupOf(std::string_view text) {
    auto found = by_text.find(text);
    if (found != by_text.end()) return found->second.get();
    auto group = std::make_unique<QueueGroup>(text);
    QueueGroup* raw = group.get();
    by_text.emplace(raw->text, std::move(group));
    return raw;
  }

  // A group that has become empty is kept for a while: requests of one kind tend to come again.
  void Retire(QueueGroup* group) {
    QueueGroup*& place = idle[next_idle];
    if (place != nullptr) by_text.erase(place->text);
    place = group;
    group->idle_slot = next_idle;
    next_idle = (next_idle + 1) % idle.size();
  }

  void Add(QueueEntry* entry, std::string_view text) {
    QueueGroup* group = GroupOf(text);
    if (group->idle_slot != kNoSlot) {
      idle[group->idle_slot] = nullptr;
      group->idle_slot = kNoSlot;
    }
    QueueLane* lane = lanes[entry->lane].get();
    QueueCell* cell = group->CellOf(lane);
    entry->sequence_ = ++sequence;
    entry->cell_ = cell;
    lane->Append(entry);
    cell->entries.Push(entry);
    if (cell->slot == kNoSlot) {
      cells.Push(cell);
      lane->cells.Push(cell);
    } else {
      cells.Update(cell);
      lane->cells.Update(cell);
    }
    ++group->entries;
    group->rows += entry->rows;
    ++count;
    rows += entry->rows;
    order.Arrived(lane->fair, entry->rows);
  }

  void Remove(QueueEntry* entry) {
    order.Left(entry->cell_->lane->fair, entry->rows);
    Detach(entry);
  }
  void Serve(const Chosen& chosen) {
    QueueEntry* entry = chosen.cell->First();
    order.Served(chosen.cell->lane->fair, entry->rows, chosen.owed);
    Detach(entry);
  }
  void Detach(QueueEntry* entry) {
    QueueCell* cell = entry->cell_;
    QueueGroup* group = cell->group;
    QueueLane* lane = cell->lane;
    const bool last = cell->entries.size() == 1;
    if (last) {
      cells.Remove(cell);
      lane->cells.Remove(cell);
    }
    cell->entries.Remove(entry);
    entry->cell_ = nullptr;
    lane->Unlink(entry);
    if (!last) {
      cells.Update(cell);
      lane->cells.Update(cell);
    }
    --count;
    rows -= entry->rows;
    group->rows -= entry->rows;
    if (--group->entries == 0) Retire(group);
  }

  // Of `candidates` (lanes, or a group's cells) that have entries the one to serve next; `first` tells
  // the cell with the earliest deadline of one, null when it has none. Requires one with entries.
  template <typename Candidates, typename First>
  Chosen Next(const Candidates& candidates, First first) const {
    if (candidates.size() == 1) return {first(*candidates.front()), false};
    unsigned present = 0;
    for (const auto& candidate : candidates) {
      if (const QueueCell* cell = first(*candidate)) {
        present |= 1u << static_cast<unsigned>(cell->lane->fair.priority);
      }
    }
    const FairOrder::Choice choice = order.Next(present);
    QueueCell* next = nullptr;
    for (const auto& candidate : candidates) {
      QueueCell* cell = first(*candidate);
      if (cell == nullptr || cell->lane->fair.priority != choice.priority) continue;
      if (next == nullptr || FairOrder::Before(cell->lane->fair, next->lane->fair) ||
          (!FairOrder::Before(next->lane->fair, cell->lane->fair) &&
           CellOrder::Before(cell, next))) {
        next = cell;
      }
    }
    return {next, choice.owed};
  }
  // Requires count > 0.
  Chosen NextOfLanes() const {
    return Next(lanes, [](const QueueLane& lane) {
      return lane.cells.empty() ? nullptr : lane.cells.top();
    });
  }
  // Requires an entry of the group.
  Chosen NextOfGroup(QueueGroup& group) const {
    return Next(group.cells,
                [](QueueCell& cell) { return cell.entries.empty() ? nullptr : &cell; });
  }

  // Requires count > 0.
  QueueEntry* First() const { return cells.top()->First(); }

  const QueueOptions options;
  FairOrder order;
  std::vector<std::unique_ptr<QueueLane>> lanes;
  // Keys view the groups' own texts.
  std::unordered_map<std::string_view, std::unique_ptr<QueueGroup>> by_text;
  SlotHeap<QueueCell, CellOrder> cells;  // those with entries
  std::array<QueueGroup*, 16> idle{};
  size_t next_idle = 0;
  uint64_t sequence = 0;
  size_t count = 0;
  int64_t rows = 0;
};

BatchQueue::BatchQueue(QueueOptions options) : impl_(std::make_unique<Impl>(options)) {
  AddLane(Priority::kNormal, 1);
}

BatchQueue::~BatchQueue() {
  while (!empty()) impl_->Remove(impl_->First());
}

uint32_t BatchQueue::AddLane(Priority priority, double weight) {
  auto lane = std::make_unique<QueueLane>();
  lane->fair.priority = priority;
  lane->fair.weight = weight;
  impl_->lanes.push_back(std::move(lane));
  return static_cast<uint32_t>(impl_->lanes.size() - 1);
}

void BatchQueue::SetWeight(uint32_t lane, double weight) {
  impl_->lanes[lane]->fair.weight = weight;
}

bool BatchQueue::Push(QueueEntry* entry, std::string_view group) {
  if (impl_->count >= impl_->options.max_entries ||
      entry->rows > impl_->options.max_rows - impl_->rows) {
    return false;
  }
  impl_->Add(entry, group);
  return true;
}

QueueEntry* BatchQueue::InTheWayOf(const QueueEntry& entry) const {
  const auto held = [](const QueueLane& lane) {
    return static_cast<double>(lane.fair.waiting) / lane.fair.weight;
  };
  const QueueLane* most = nullptr;
  for (const auto& lane : impl_->lanes) {
    if (lane->youngest != nullptr && (most == nullptr || held(*lane) > held(*most))) {
      most = lane.get();
    }
  }
  const QueueLane& own = *impl_->lanes[entry.lane];
  const double with_it = held(own) + static_cast<double>(entry.rows) / own.fair.weight;
  return most == nullptr || most == &own || with_it >= held(*most) ? nullptr : most->youngest;
}

void BatchQueue::Remove(QueueEntry* entry) { impl_->Remove(entry); }

void BatchQueue::Take(int64_t limit, TimeNs now, TimeNs needed, std::vector<QueueEntry*>* batch,
                      std::vector<QueueEntry*>* expired) {
  while (!empty() && impl_->First()->deadline < now + needed) {
    expired->push_back(impl_->First());
    impl_->Remove(expired->back());
  }
  if (empty()) return;
  Impl::Chosen next = impl_->NextOfLanes();
  QueueGroup& group = *next.cell->group;
  int64_t taken = 0;
  for (;;) {
    QueueEntry* entry = next.cell->First();
    if (taken > 0 && taken + entry->rows > limit) break;
    taken += entry->rows;
    batch->push_back(entry);
    const bool last = group.entries == 1;
    impl_->Serve(next);
    if (last) break;  // the group may be gone
    next = impl_->NextOfGroup(group);
  }
}

void BatchQueue::TakeExpired(TimeNs now, std::vector<QueueEntry*>* expired) {
  while (!empty() && impl_->First()->deadline <= now) {
    expired->push_back(impl_->First());
    impl_->Remove(expired->back());
  }
}

TimeNs BatchQueue::NextDeadline() const { return empty() ? kNever : impl_->First()->deadline; }

int64_t BatchQueue::NextBatchRows(int64_t limit) const {
  if (empty()) return 0;
  const QueueCell& cell = *impl_->NextOfLanes().cell;
  const QueueGroup& group = *cell.group;
  const auto& heap = cell.entries;
  if (group.rows <= limit) return group.rows;
  if (group.rows == static_cast<int64_t>(group.entries) || group.entries != heap.size()) {
    return std::max<int64_t>(limit, 1);
  }
  // Walks the heap in order of deadline: the next entry is always a child of one already seen.
  auto later = [&heap](size_t a, size_t b) { return EntryOrder::Before(heap.at(b), heap.at(a)); };
  std::vector<size_t> frontier{0};
  int64_t taken = 0;
  while (!frontier.empty()) {
    std::pop_heap(frontier.begin(), frontier.end(), later);
    size_t slot = frontier.back();
    frontier.pop_back();
    int64_t rows = heap.at(slot)->rows;
    if (taken > 0 && taken + rows > limit) break;
    taken += rows;
    for (size_t child : {2 * slot + 1, 2 * slot + 2}) {
      if (child >= heap.size()) continue;
      frontier.push_back(child);
      std::push_heap(frontier.begin(), frontier.end(), later);
    }
  }
  return taken;
}

double BatchQueue::Backlog(uint32_t lane) const {
  const FairLane& fair = impl_->lanes[lane]->fair;
  return static_cast<double>(fair.waiting) / fair.weight;
}

int64_t BatchQueue::RowsBefore(const QueueEntry& entry) const {
  const QueueLane& own = *impl_->lanes[entry.lane];
  const bool first = own.cells.empty() || entry.deadline < own.cells.top()->First()->deadline;
  double before = first ? 0 : static_cast<double>(own.fair.waiting);
  if (own.fair.waiting == impl_->rows) return static_cast<int64_t>(before);
  // While its own class is given that much, the others of the class get theirs by weight.
  const double through = before + static_cast<double>(entry.rows);
  double above = 0, below = 0;
  for (const auto& lane : impl_->lanes) {
    if (lane.get() == &own) continue;
    const auto waiting = static_cast<double>(lane->fair.waiting);
    if (lane->fair.priority < own.fair.priority) {
      above += waiting;
    } else if (lane->fair.priority > own.fair.priority) {
      below += waiting;
    } else {
      before += std::min(waiting, through * lane->fair.weight / own.fair.weight);
    }
  }
  constexpr auto kAbove = static_cast<double>(FairOrder::kRowsAbove);
  const double with_entry = before + static_cast<double>(entry.rows);
  before += std::min(above, kAbove * with_entry);
  before += std::min(below, before / kAbove);
  return static_cast<int64_t>(before);
}

size_t BatchQueue::entries() const { return impl_->count; }
int64_t BatchQueue::rows() const { return impl_->rows; }

}  // namespace skysail::batching
