#include "replay/replay.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <queue>
#include <tuple>
#include <utility>

namespace skysail::replay {
namespace {

// From the end of a batch to its callers.
constexpr TimeNs kWayBack = 50 * kMicrosecond;

struct Waiting final : batching::QueueEntry {
  size_t call = 0;
};

struct Batch {
  std::vector<batching::QueueEntry*> members;
  TimeNs waits = 0;
};

// A queue, its rule and its replica, which runs what it is sent one after the other.
struct Station {
  Station(const Model& model, std::unique_ptr<Rule> rule, uint32_t seed)
      : model(model), rule(std::move(rule)), arrivals(seed), random(seed + 1000) {
    seen.objective = model.objective;
  }
  const Model& model;
  std::unique_ptr<Rule> rule;
  Random arrivals, random;  // apart, so that arrivals are the same under any rule
  std::deque<Waiting> entries;  // outlive the queue
  batching::BatchQueue queue{batching::QueueOptions()};
  std::deque<Batch> in_flight;
  bool running = false, wants_core = false;
  TimeNs wake_at = kNever;
  Seen seen;
};

enum class What { kArrival, kEnd, kWake };

class Machine {
 public:
  Machine(const std::vector<Model>& models, const MakeRule& make_rule, int cores, uint32_t seed)
      : free_cores_(cores) {
    for (size_t i = 0; i < models.size(); ++i) {
      stations_.push_back(std::make_unique<Station>(models[i], make_rule(),
                                                    seed + static_cast<uint32_t>(i)));
      Station& station = *stations_.back();
      if (models[i].load) Post(NextArrival(station, 0), What::kArrival, i);
      for (int k = 0; k < models[i].callers; ++k) Post(k, What::kArrival, i);
    }
  }

  std::vector<Seen> Run(TimeNs time) {
    while (!events_.empty() && std::get<0>(events_.top()) < time) {
      const auto [at, order, what, which] = events_.top();
      events_.pop();
      now_ = at;
      Station& station = *stations_[which];
      switch (what) {
        case What::kArrival:
          Arrive(station);
          if (station.model.load) Post(NextArrival(station, now_), What::kArrival, which);
          break;
        case What::kEnd:
          End(station, which);
          break;
        case What::kWake:
          if (station.wake_at > now_) continue;
          station.wake_at = kNever;
          break;
      }
      Pump(station, which);
    }
    std::vector<Seen> seen;
    for (auto& station : stations_) seen.push_back(std::move(station->seen));
    return seen;
  }

 private:
  using Event = std::tuple<TimeNs, uint64_t, What, size_t>;

  void Post(TimeNs at, What what, size_t which) { events_.emplace(at, ++order_, what, which); }

  // Thinned from arrivals at the highest rate (Lewis and Shedler, 1979).
  static TimeNs NextArrival(Station& station, TimeNs at) {
    std::exponential_distribution<double> gap(station.model.most_load);
    std::uniform_real_distribution<double> chance(0, station.model.most_load);
    do {
      at += static_cast<TimeNs>(gap(station.arrivals) * 1e9) + 1;
    } while (chance(station.arrivals) >= station.model.load(at));
    return at;
  }

  void Arrive(Station& station) {
    station.entries.emplace_back();
    Waiting& entry = station.entries.back();
    entry.call = station.seen.calls.size();
    entry.enqueued = now_;
    entry.deadline = now_ + station.model.objective;
    station.seen.calls.push_back({now_, kNever});
    station.rule->OnArrival(station.queue, now_);
    station.queue.Push(&entry, "");
  }

  void Pump(Station& station, size_t which) {
    while (!station.queue.empty()) {
      const Rule::Decision decision = station.rule->Decide(station.queue, now_);
      if (decision.rows == 0) {
        if (decision.wake_at < station.wake_at || station.wake_at <= now_) {
          station.wake_at = std::max(decision.wake_at, now_ + 1);
          if (station.wake_at != kNever) Post(station.wake_at, What::kWake, which);
        }
        return;
      }
      Batch batch;
      std::vector<batching::QueueEntry*> expired;
      const int64_t waited = station.queue.rows();
      station.queue.Take(decision.rows, now_, decision.needed, &batch.members, &expired);
      if (batch.members.empty() && station.in_flight.empty()) {
        // Nobody would be in time, if what was learned still holds: an idle replica tries.
        for (batching::QueueEntry* entry : expired) station.queue.Push(entry, "");
        expired.clear();
        station.queue.Take(decision.rows, now_, 0, &batch.members, &expired);
      }
      for (size_t i = 0; i < expired.size(); ++i) Back(station, which);
      if (batch.members.empty()) continue;
      for (const batching::QueueEntry* entry : batch.members) batch.waits += now_ - entry->enqueued;
      station.rule->OnSent(static_cast<int64_t>(batch.members.size()), waited, now_);
      station.in_flight.push_back(std::move(batch));
      Begin(station, which);
    }
  }

  void Begin(Station& station, size_t which) {
    if (station.running || station.wants_core || station.in_flight.empty()) return;
    if (free_cores_ == 0) {
      station.wants_core = true;
      for_core_.push_back(which);
      return;
    }
    --free_cores_;
    station.running = true;
    const auto rows = static_cast<int64_t>(station.in_flight.front().members.size());
    const TimeNs takes = std::max<TimeNs>(station.model.curve(rows, now_, station.random), 1);
    station.seen.model_time += takes;
    Post(now_ + takes, What::kEnd, which);
  }

  void End(Station& station, size_t which) {
    const Batch batch = std::move(station.in_flight.front());
    station.in_flight.pop_front();
    station.running = false;
    ++free_cores_;
    station.seen.batches.push_back(now_);
    for (batching::QueueEntry* entry : batch.members) {
      station.seen.calls[static_cast<Waiting*>(entry)->call].answered = now_ + kWayBack;
      Back(station, which);
    }
    station.rule->OnEnded(station.queue, now_, batch.waits);
    Begin(station, which);
    if (!for_core_.empty() && free_cores_ > 0) {
      const size_t next = for_core_.front();
      for_core_.pop_front();
      stations_[next]->wants_core = false;
      Begin(*stations_[next], next);
    }
  }

  // Its caller has been told.
  void Back(Station& station, size_t which) {
    const Model& model = station.model;
    if (model.callers == 0) return;
    const double times =
        model.away_varies ? std::exponential_distribution<double>(1)(station.arrivals) : 1;
    const auto away = static_cast<TimeNs>(times * static_cast<double>(model.away));
    Post(now_ + kWayBack + away, What::kArrival, which);
  }

  TimeNs now_ = 0;
  uint64_t order_ = 0;
  int free_cores_;
  std::deque<size_t> for_core_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<std::unique_ptr<Station>> stations_;
};

TimeNs Ns(double us) { return static_cast<TimeNs>(us * 1e3); }

}  // namespace

int64_t Seen::Answered() const {
  return std::count_if(calls.begin(), calls.end(),
                       [](const Call& call) { return call.answered != kNever; });
}

int64_t Seen::Good(TimeNs from, TimeNs to) const {
  return std::count_if(calls.begin(), calls.end(), [=](const Call& call) {
    return call.sent >= from && call.sent < to && call.answered != kNever &&
           call.answered - call.sent <= objective;
  });
}

int64_t Seen::Sent(TimeNs from, TimeNs to) const {
  return std::count_if(calls.begin(), calls.end(), [=](const Call& call) {
    return call.sent >= from && call.sent < to;
  });
}

double Seen::InTime(TimeNs from, TimeNs to) const {
  const auto answered = std::count_if(calls.begin(), calls.end(), [=](const Call& call) {
    return call.sent >= from && call.sent < to && call.answered != kNever;
  });
  return static_cast<double>(Good(from, to)) / static_cast<double>(std::max<int64_t>(answered, 1));
}

TimeNs Seen::MedianLatency() const {
  std::vector<TimeNs> latencies;
  for (const Call& call : calls) {
    if (call.answered != kNever) latencies.push_back(call.answered - call.sent);
  }
  if (latencies.empty()) return kNever;
  const auto middle = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() / 2);
  std::nth_element(latencies.begin(), middle, latencies.end());
  return *middle;
}

std::vector<Seen> Run(const std::vector<Model>& models, const MakeRule& make_rule, TimeNs time,
                      int cores, uint32_t seed) {
  return Machine(models, make_rule, cores, seed).Run(time);
}

Curve Linear(double base_us, double row_us) {
  return [=](int64_t rows, TimeNs, Random&) {
    return Ns(base_us + row_us * static_cast<double>(rows));
  };
}

Curve Stepped(double step_us, int64_t step) {
  return [=](int64_t rows, TimeNs, Random&) {
    return Ns(step_us * static_cast<double>((rows + step - 1) / step));
  };
}

Curve Quadratic(double base_us, double square_us) {
  return [=](int64_t rows, TimeNs, Random&) {
    return Ns(base_us + square_us * static_cast<double>(rows * rows));
  };
}

Curve Noisy(Curve curve, double noise) {
  return [curve = std::move(curve), noise](int64_t rows, TimeNs now, Random& random) {
    const double factor = std::normal_distribution<double>(1, noise)(random);
    return static_cast<TimeNs>(static_cast<double>(curve(rows, now, random)) *
                               std::clamp(factor, 1 - 3 * noise, 1 + 3 * noise));
  };
}

Curve Pausing(Curve curve, TimeNs pause, int one_in) {
  return [curve = std::move(curve), pause, one_in](int64_t rows, TimeNs now, Random& random) {
    const bool pauses = std::uniform_int_distribution<int>(1, one_in)(random) == 1;
    return curve(rows, now, random) + (pauses ? pause : 0);
  };
}

Curve Slower(Curve curve, double factor, TimeNs from, TimeNs to) {
  return [curve = std::move(curve), factor, from, to](int64_t rows, TimeNs now, Random& random) {
    const double times = now >= from && now < to ? factor : 1;
    return static_cast<TimeNs>(times * static_cast<double>(curve(rows, now, random)));
  };
}

}  // namespace skysail::replay
