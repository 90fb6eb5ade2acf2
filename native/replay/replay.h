// The batcher's decisions on a clock that is stepped from event to event: arrivals drawn by a seed, models
// that take what a curve says, and a rule that says when how large a batch is sent. The same arrivals and
// the same rule give the same answers, to the nanosecond.
//
// Tests ask it what the batcher's own rule (own_rule.h) does, and the benchmark compares that with others
// (published_rules.h). Every rule gets the same queue, and drops what its latency estimate says would be
// late.
#ifndef SKYSAIL_REPLAY_REPLAY_H_
#define SKYSAIL_REPLAY_REPLAY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "base/clock.h"
#include "batching/batch_queue.h"

namespace skysail::replay {

using Random = std::mt19937;

// Decides for one queue in front of one replica.
class Rule {
 public:
  virtual ~Rule() = default;
  // Before the call is put into `queue`.
  virtual void OnArrival(const batching::BatchQueue& queue, TimeNs now) = 0;
  struct Decision {
    int64_t rows = 0;          // the most rows of a batch that is sent now; 0: none is
    TimeNs wake_at = kNever;   // when asking again may give another answer, if it is none
    TimeNs needed = 0;         // from now until its answer: who has less is dropped
  };
  // `queue` is not empty.
  virtual Decision Decide(const batching::BatchQueue& queue, TimeNs now) = 0;
  virtual void OnSent(int64_t rows, int64_t waited, TimeNs now) = 0;
  // The oldest batch in flight has ended. `waits` is the sum of its calls' times in the queue.
  virtual void OnEnded(const batching::BatchQueue& queue, TimeNs now, TimeNs waits) = 0;
};
using MakeRule = std::function<std::unique_ptr<Rule>()>;

// What a batch of `rows` rows takes that begins at `now`.
using Curve = std::function<TimeNs(int64_t rows, TimeNs now, Random& random)>;
// Calls a second at an instant.
using Load = std::function<double(TimeNs now)>;

// A model with one replica.
struct Model {
  Curve curve;
  TimeNs objective = 20 * kMillisecond;
  Load load;               // Poisson arrivals; none: no such arrivals
  double most_load = 0;    // >= load at any time
  int callers = 0;         // who ask again `away` after each answer
  TimeNs away = 0;
  bool away_varies = false;  // exponentially, with that mean
};

struct Call {
  TimeNs sent = 0;
  TimeNs answered = kNever;  // kNever: dropped
};
struct Seen {
  std::vector<Call> calls;
  std::vector<TimeNs> batches;  // when each ended
  TimeNs model_time = 0;        // of the calls answered, all batches together
  TimeNs objective = 0;

  int64_t Answered() const;
  // Of the calls sent in [from, to): answered in time; all.
  int64_t Good(TimeNs from = 0, TimeNs to = kNever) const;
  int64_t Sent(TimeNs from = 0, TimeNs to = kNever) const;
  // Of those answered, the share in time.
  double InTime(TimeNs from = 0, TimeNs to = kNever) const;
  TimeNs MedianLatency() const;
};

// Runs every model for `time`, each in front of a rule of its own, on `cores` that batches take in turns.
std::vector<Seen> Run(const std::vector<Model>& models, const MakeRule& make_rule, TimeNs time,
                      int cores = 1, uint32_t seed = 7);

// The curves: a fixed part and a part for each row; the second as steps of `step` rows, or squared.
Curve Linear(double base_us, double row_us);
Curve Stepped(double step_us, int64_t step);
Curve Quadratic(double base_us, double square_us);
// The curve with so much noise (standard deviation, as a share), and with a pause of `pause` in one of
// `one_in` batches.
Curve Noisy(Curve curve, double noise);
Curve Pausing(Curve curve, TimeNs pause, int one_in);
// `factor` times slower from `from` to `to`.
Curve Slower(Curve curve, double factor, TimeNs from, TimeNs to);

}  // namespace skysail::replay

#endif  // SKYSAIL_REPLAY_REPLAY_H_
