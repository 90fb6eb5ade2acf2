#include "batching/dispatch.h"

#include <algorithm>

namespace skysail::batching {
namespace {

// Of an objective, what the hops before and after the batcher need.
constexpr TimeNs kHopAllowance = 2 * kMillisecond;

// The rows that a batch inside its objective may come to have, going by what was learned.
int64_t ReachOf(const Pace& pace, const Terms& terms) {
  int64_t rows = terms.LimitOf(pace);
  while (2 * rows <= terms.max_rows &&
         pace.controller().Estimate(2 * rows) <= terms.BatchObjective()) {
    rows *= 2;
  }
  return rows;
}

// Whether those who wait can still be served in time when the replica begins at `start`.
bool InTimeAt(TimeNs start, const Pace& pace, const BatchQueue& queue, const Terms& terms) {
  const int64_t limit = terms.LimitOf(pace);
  return start + pace.controller().Estimate(limit) + pace.Margin(limit) + terms.AnswerAllowance() <
         queue.NextDeadline();
}

int64_t RowsPresent(const Paces& paces, const BatchQueue& queue) {
  int64_t rows = queue.rows();
  for (const Pace* pace : paces) {
    if (pace != nullptr) rows += pace->rows_in_flight();
  }
  return rows;
}

}  // namespace

// Waiting takes the other half. Where applications share the replicas, one that is within its share
// must have time for what is left of another's batch and a whole one of its own, and for either to take
// longer than expected.
TimeNs Terms::BatchObjective() const {
  const TimeNs mine = objective - std::min(kHopAllowance, objective / 10);
  return shared ? mine / 5 * 2 : mine / 2;
}

TimeNs Terms::AnswerAllowance() const { return std::min(kHopAllowance, objective / 10) / 2; }

int64_t Terms::LimitOf(const Pace& pace) const {
  return std::min(pace.controller().limit(), max_rows);
}

void Dispatch::OnArrival(int64_t rows, TimeNs now, const Paces& paces, const BatchQueue& queue) {
  arrivals_.OnArrival(rows, now);
  OnChange(paces, queue, now);
  spacing_.OnArrival(rows);
  for (Pace* pace : paces) {
    if (pace != nullptr) pace->OnArrival(rows, now);
  }
}

void Dispatch::OnChange(const Paces& paces, const BatchQueue& queue, TimeNs now) {
  spacing_.OnPresent(RowsPresent(paces, queue), now);
}

Dispatch::Next Dispatch::Choose(const Paces& paces, const BatchQueue& queue, const Terms& terms,
                                TimeNs now) {
  OnChange(paces, queue, now);
  Next next;
  const size_t count = paces.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t at = (turn_ + i) % count;
    if (paces[at] == nullptr) continue;
    const Pace& pace = *paces[at];
    if (pace.idle()) {
      const TimeNs held = pace.Holding(queue.rows(), now) ? pace.hold_until() : 0;
      const TimeNs hold = std::max(held, SpacedUntil(pace, queue, terms));
      if (hold > now && InTimeAt(hold, pace, queue, terms)) {
        next.wake_at = std::min(next.wake_at, hold);
        continue;
      }
      turn_ = at + 1;
      next.replica = at;
      spacing_.OnBegin(now);
      return next;
    }
    if (pace.in_flight() > 1 || next.replica != kNobody) continue;
    const int64_t limit = terms.LimitOf(pace);
    TimeNs seal_at = pace.SealAt();
    const TimeNs spaced = SpacedUntil(pace, queue, terms);
    if (spaced > pace.FreeAt(now) && InTimeAt(spaced, pace, queue, terms)) seal_at = spaced;
    // A full batch can be staged at once, unless some other application may yet come that goes first.
    if (!terms.shared && queue.rows() >= limit && queue.NextBatchRows(limit) >= limit) {
      next.replica = at;
    } else if (seal_at > now) {
      next.wake_at = std::min(next.wake_at, seal_at);
    } else if (!pace.WorthGathering(queue.rows(), limit, terms.BatchObjective())) {
      next.replica = at;
    }
  }
  if (next.replica != kNobody) spacing_.OnBegin(paces[next.replica]->FreeAt(now));
  return next;
}

TimeNs Dispatch::SpacedUntil(const Pace& pace, const BatchQueue& queue, const Terms& terms) const {
  if (!terms.delay || queue.rows() >= terms.LimitOf(pace)) return 0;
  const auto one = static_cast<double>(pace.controller().Estimate(1));
  const double row = static_cast<double>(pace.controller().Estimate(2)) - one;
  return spacing_.Until({std::max(one - row, 0.0), row, terms.BatchObjective(), arrivals_.gap_ns()});
}

TimeNs Dispatch::Needed(const Pace& pace, const BatchQueue& queue, const Terms& terms, TimeNs now) {
  const int64_t rows = std::min(queue.rows(), terms.LimitOf(pace));
  return pace.FreeAt(now) - now + pace.controller().Estimate(rows) + pace.Margin(rows) +
         terms.AnswerAllowance();
}

TimeNs Dispatch::WaitAhead(const QueueEntry& entry, TimeNs left, const Paces& paces,
                           const BatchQueue& queue, const Terms& terms, TimeNs now) const {
  if (queue.empty() && std::any_of(paces.begin(), paces.end(), [](const Pace* pace) {
        return pace != nullptr && pace->idle();
      })) {
    return 0;
  }
  const int64_t rows = queue.RowsBefore(entry) + entry.rows;
  const auto wait_for = [&](auto rows_of) {
    batching::WaitAhead ahead;
    for (const Pace* pace : paces) {
      if (pace == nullptr) continue;
      const int64_t at_once = rows_of(*pace);
      ahead.Add(pace->controller(), at_once, pace->FreeAt(now) - now, pace->Margin(at_once));
    }
    return ahead.For(rows, arrivals_);
  };
  const TimeNs wait = wait_for([&terms](const Pace& pace) { return terms.LimitOf(pace); });
  // A limit that is still growing says little: refuse only what the model could not do either.
  if (wait <= left) return wait;
  return wait_for([&terms](const Pace& pace) { return ReachOf(pace, terms); });
}

}  // namespace skysail::batching
