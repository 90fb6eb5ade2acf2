// How far apart batches should begin, so that each carries more rows for its fixed cost.
//
// A replica that takes whatever waits as soon as it is free is always busy once a row comes within the fixed
// cost of a batch, and most of its time is that cost: batches have few rows, because the replica is there so
// soon for the next. Apart by several times the fixed cost, they bring the same rows in a part of the time. The
// price is that a call may wait so long, so they are spaced only where all of this holds:
//
// * A further row is expected within the fixed cost. Whoever comes seldom is served at once.
// * A row costs clearly less so, going by what was learned of the model.
// * Arrivals do not depend on answers. Callers that ask again once they were answered come the less the
//   more of them are here, and to hold them only makes their turns longer. So arrivals are counted apart for
//   when many are here and when few are, with the time of either.
// * Not as many are here as ever were of late: then nobody may be left to come.
//
// A pure state machine, one for a queue: no clock, no thread.
#ifndef SKYSAIL_BATCHING_SPACING_H_
#define SKYSAIL_BATCHING_SPACING_H_

#include <cstdint>

#include "base/clock.h"

namespace skysail::batching {

class Spacing {
 public:
  // Since `now`, so many rows are here: in the queue or at a replica.
  void OnPresent(int64_t rows, TimeNs now);
  // Rows come, to those that OnPresent told of.
  void OnArrival(int64_t rows);
  // A batch begins at `at`.
  void OnBegin(TimeNs at);

  // What a batch takes, as learned; what it may take; the mean time between two rows that come.
  struct Scene {
    double fixed_ns, row_ns;
    TimeNs objective;
    double gap_ns;
  };
  // Until when the next batch should be kept back; in the past where it should not be. O(1).
  TimeNs Until(const Scene& scene) const;

 private:
  struct Share {
    double rows = 0;
    double time_ns = 0;
    double Rate() const { return rows / time_ns; }
  };
  Share& ShareOf(int64_t present) {
    return static_cast<double>(present) < mean_present_ ? few_ : many_;
  }
  bool Independent() const;

  TimeNs last_begin_ = 0;
  int64_t present_ = 0;
  TimeNs present_since_ = 0;
  double mean_present_ = 0, weight_ = 0;  // as arrivals find it, of late
  Share few_, many_;           // of arrivals that find fewer than that, but some; that many or more
  int64_t most_ = 0, most_before_ = 0;  // present, in this stretch of batches and in the one before
  int begins_ = 0;             // of this stretch
};

}  // namespace skysail::batching

#endif  // SKYSAIL_BATCHING_SPACING_H_
