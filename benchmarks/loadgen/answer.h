// Is an answer the one that was expected?
#ifndef SKYSAIL_BENCHMARKS_LOADGEN_ANSWER_H_
#define SKYSAIL_BENCHMARKS_LOADGEN_ANSWER_H_

#include <string_view>

#include "loadgen/options.h"

namespace skysail::loadgen {

// `answer` is a whole ModelInferResponse (kRawOutputs) or HTTP body. A malformed one never matches.
bool AnswerMatches(AnswerCheck check, std::string_view answer, std::string_view expected);

}  // namespace skysail::loadgen

#endif  // SKYSAIL_BENCHMARKS_LOADGEN_ANSWER_H_
