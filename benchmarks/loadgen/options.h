// What one run of the load generator does.
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_OPTIONS_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_OPTIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skysail::loadgen {

enum class Protocol { kH2, kH1 };

// How an answer is compared with the expected bytes of its body.
enum class AnswerCheck {
  kRawOutputs,  // raw_output_contents of a ModelInferResponse, joined
  kSuffix,      // the answer ends with them (binary tensors over REST)
  kContains,    // they occur in the answer (JSON)
};

struct Options {
  std::string target;  // "host:port" or "unix:/path"
  std::string path = "/inference.GRPCInferenceService/ModelInfer";
  Protocol protocol = Protocol::kH2;
  AnswerCheck answer = AnswerCheck::kRawOutputs;
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every call
  std::string bodies;                                        // file, see bodies.h
  uint32_t connections = 1;
  uint32_t streams = 1;        // calls in flight on one connection, at most
  double rate = 0;             // arrivals a second (Poisson); 0: closed loop
  uint32_t max_outstanding = 4096;  // open loop: an arrival over this is not sent, and failed
  uint64_t seed = 1;         // of arrivals, the Zipf draw and varied bodies
  double warmup_s = 0.5;
  double duration_s = 2;
  uint64_t count = 0;         // > 0: stop after so many measured answers
  double drain_s = 2;         // how long answers are awaited after the end
  uint32_t check_every = 16;  // compare every k-th answer; 1: all
  double zipf = 0;            // > 0: bodies are drawn with probability 1 / rank^zipf
  uint32_t first = 0;         // > 0: only the first so many bodies
  int64_t vary = -1;          // >= 0: offset of two floats; +n, -n of a new n for each call
};

// Reads the command line; on a mistake prints what is legal and exits with 2.
Options ParseOptions(int argc, char** argv);

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_OPTIONS_H_
