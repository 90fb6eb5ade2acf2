// Whether a free replica should wait a moment for callers that are about to come back.
//
// Callers that wait for each answer before they ask again fall into groups that take turns: while one
// group's batch runs, the other group waits, and every batch carries half of the callers at the fixed
// cost of a whole one. Where that fixed cost outweighs the time in which answered callers return, it
// pays to let the groups meet. With `a` the fixed cost of a batch, q rows waiting and k more expected
// within w, (q + k) rows per a + w are more than q per a exactly when w q < k a. Arrivals that do
// not depend on answers never satisfy that while a replica is busy: their q is more than they bring
// in `a`. So there is no delay but where it was seen to pay.
//
// A pure state machine, one per replica: no clock, no thread.
#ifndef SKYSAIL_BATCHING_GATHERING_H_
#define SKYSAIL_BATCHING_GATHERING_H_

#include <cstdint>

#include "base/clock.h"

namespace skysail::batching {

class Gathering {
 public:
  // Rows were enqueued at `now`, by whomever.
  void OnArrival(int64_t rows, TimeNs now) {
    if (now <= watched_until_) returned_ += rows;
  }
  // What is known when a batch ends: the fixed cost of a batch, the time that one may take, how many
  // rows wait, and how many fit a batch.
  struct Scene {
    TimeNs base, objective;
    int64_t waiting, limit;
  };
  // A batch of `rows` rows was answered at `now`.
  void OnAnswered(int64_t rows, TimeNs now, const Scene& scene);

  // Whether a free replica should go on waiting at `now`, `waiting` rows being there.
  bool Hold(int64_t waiting, TimeNs now) const {
    return now < watched_until_ && waiting < target_;
  }
  // Until when, at most.
  TimeNs until() const { return watched_until_; }

  // How many rows are worth having before the next batch, when a batch of `answered` rows is (or will
  // be) answered; `waiting` when more are not worth their time.
  int64_t Target(int64_t answered, const Scene& scene) const;
  // The share of an answered batch that was back within the window, of late.
  double share() const { return share_; }

 private:
  double share_ = 0;
  TimeNs watched_until_ = -1;
  int64_t target_ = 0;
  int64_t answered_ = 0;  // rows of the batch whose callers are watched
  int64_t returned_ = 0;
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_GATHERING_H_
