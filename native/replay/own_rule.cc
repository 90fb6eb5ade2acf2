#include "replay/own_rule.h"

namespace skysail::replay {
namespace {

class Own final : public Rule {
 public:
  Own(batching::Terms terms, Drop drop) : terms_(terms), drop_(drop) {}

  void OnArrival(const batching::BatchQueue& queue, TimeNs now) override {
    dispatch_.OnArrival(1, now, paces_, queue);
  }
  Decision Decide(const batching::BatchQueue& queue, TimeNs now) override {
    const batching::Dispatch::Next next = dispatch_.Choose(paces_, queue, terms_, now);
    if (next.replica == batching::Dispatch::kNobody) return {0, next.wake_at, 0};
    limit_ = terms_.LimitOf(pace_);
    const TimeNs needed = batching::Dispatch::Needed(pace_, queue, terms_, now);
    return {limit_, kNever, drop_ == Drop::kEarly ? needed : 0};
  }
  void OnSent(int64_t rows, int64_t waited, TimeNs now) override {
    pace_.Sent(rows, batching::Dispatch::Full(rows, waited, limit_), now);
  }
  void OnEnded(const batching::BatchQueue& queue, TimeNs now, TimeNs) override {
    const batching::Pace::Ran ran = pace_.Ended(0, now);
    pace_.Learn(ran, false, now, terms_.BatchObjective(), queue.rows(), terms_.LimitOf(pace_));
    dispatch_.OnChange(paces_, queue, now);
  }

 private:
  const batching::Terms terms_;
  const Drop drop_;
  int64_t limit_ = 0;
  batching::Pace pace_{batching::LimitOptions()};
  batching::Paces paces_{&pace_};
  batching::Dispatch dispatch_;
};

}  // namespace

MakeRule OwnRule(batching::Terms terms, Drop drop) {
  return [=] { return std::make_unique<Own>(terms, drop); };
}

}  // namespace skysail::replay
