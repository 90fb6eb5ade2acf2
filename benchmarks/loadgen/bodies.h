// The requests of a run, each with the answer that it must get.
//
// File: "SKYBODY1", u32 count, then per body u32 length, request bytes, u32 length, expected bytes;
// little-endian. A body without expected bytes is sent but not compared.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_BODIES_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_BODIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/options.h"

namespace skysail::loadgen {

// Immutable but for the position of Next(). Not thread-safe.
class Bodies {
 public:
  // Loads the file and fixes the order in which bodies are sent. Exits with 2 when the file is not
  // as described. `prefix_grpc`: puts gRPC's five bytes before every request.
  Bodies(const Options& options, bool prefix_grpc);

  // The next body to send: round and round, or the Zipf draw.
  uint32_t Next() {
    const uint32_t body = order_[position_];
    if (++position_ == order_.size()) position_ = 0;
    return body;
  }
  // With gRPC's prefix if so asked.
  std::string_view request(uint32_t body) const { return bodies_[body].request; }
  std::string_view expected(uint32_t body) const { return bodies_[body].expected; }
  uint32_t largest_request() const { return largest_request_; }
  size_t size() const { return bodies_.size(); }

 private:
  struct Body {
    std::string_view request;
    std::string_view expected;
  };
  std::string arena_;
  std::vector<Body> bodies_;
  std::vector<uint32_t> order_;
  size_t position_ = 0;
  uint32_t largest_request_ = 0;
};

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_BODIES_H_
