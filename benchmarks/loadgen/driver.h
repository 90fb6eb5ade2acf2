// Decides when calls start, in one thread over epoll, and keeps the score.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_DRIVER_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_DRIVER_H_

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "loadgen/bodies.h"
#include "loadgen/connection.h"
#include "loadgen/options.h"
#include "loadgen/report.h"

namespace skysail::loadgen {

// Closed loop: each connection keeps `streams` calls in flight. Open loop: calls arrive by a seeded
// Poisson process whatever the server does, and wait for it from their intended instant.
class Driver final : public CallSink {
 public:
  Driver(const Options& options, Bodies* bodies);
  ~Driver() override;

  // Runs to the end. Call once.
  Report Run();

 private:
  void OnAnswer(const Call& call, std::string_view answer) override;
  void OnFailure(const Call& call, std::string_view error) override;

  void Refill(Connection* connection);
  void SendArrivals();
  Connection* NextFree();
  void Flush(size_t index);
  void Wait(int64_t until_ns);
  bool Measured() const { return now_ >= measure_from_ && now_ < stop_at_; }
  bool Finished() const;
  uint32_t Outstanding() const;

  const Options options_;
  Bodies& bodies_;
  const bool open_loop_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<bool> awaits_writable_;
  size_t turn_ = 0;
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_s_;
  int64_t now_ = 0;  // read once a turn: what one read brings arrived together
  int64_t measure_from_ = 0;
  int64_t stop_at_ = 0;
  int64_t next_arrival_ = 0;
  uint64_t answers_ = 0;
  Report report_;
};

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_DRIVER_H_
