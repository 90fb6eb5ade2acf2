#include "batching/fair_order.h"

#include <algorithm>

namespace skysail::batching {
namespace {

constexpr std::array<std::string_view, kPriorities> kNames{"high", "normal", "low"};

}  // namespace

std::string_view PriorityName(Priority priority) { return kNames[static_cast<size_t>(priority)]; }

std::optional<Priority> ParsePriority(std::string_view name) {
  for (size_t i = 0; i < kPriorities; ++i) {
    if (kNames[i] == name) return static_cast<Priority>(i);
  }
  return std::nullopt;
}

void FairOrder::Arrived(FairLane& lane, int64_t rows) {
  const size_t at = Index(lane.priority);
  if (lane.waiting == 0) lane.given = std::max(lane.given, given_[at]);
  lane.waiting += rows;
  waiting_[at] += rows;
}

void FairOrder::Left(FairLane& lane, int64_t rows) {
  const size_t at = Index(lane.priority);
  lane.waiting -= rows;
  waiting_[at] -= rows;
  if (waiting_[at] == 0) owed_[at] = std::min<int64_t>(owed_[at], 0);
}

void FairOrder::Served(FairLane& lane, int64_t rows, bool owed) {
  const size_t at = Index(lane.priority);
  given_[at] = std::max(given_[at], lane.given);
  lane.given += static_cast<double>(rows) / lane.weight;
  if (owed) owed_[at] -= kRowsAbove * rows;
  for (size_t below = at + 1; below < kPriorities; ++below) {
    owed_[below] = waiting_[below] > 0 ? owed_[below] + rows
                                       : std::min<int64_t>(owed_[below] + rows, 0);
  }
  Left(lane, rows);
}

FairOrder::Choice FairOrder::Next(unsigned present) const {
  size_t highest = 0;
  while ((present >> highest & 1) == 0) ++highest;
  for (size_t i = kPriorities - 1; i > highest; --i) {
    if ((present >> i & 1) != 0 && owed_[i] >= kRowsAbove) return {static_cast<Priority>(i), true};
  }
  return {static_cast<Priority>(highest), false};
}

}  // namespace skysail::batching
