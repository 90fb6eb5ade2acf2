// HTTP/1.1 with keep-alive and one call in flight: the baseline's REST.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_H1_CONNECTION_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_H1_CONNECTION_H_

#include <string>
#include <string_view>

#include "loadgen/connection.h"

namespace skysail::loadgen {

// Understands answers with a content-length only.
class H1Connection final : public Connection {
 public:
  H1Connection(const Options& options, const Bodies* bodies, CallSink* sink);

  bool CanStart() const override { return outstanding_ == 0 && !failed(); }
  void Start(const Call& call) override;

 private:
  int64_t Consume(std::string_view data) override;
  void FailAll(std::string_view error) override;

  std::string head_;  // up to the value of content-length
  Call call_;
};

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_H1_CONNECTION_H_
