// An application's default output, ready to be given for any number of rows.
#ifndef SKYSAIL_SERVICES_DEFAULT_OUTPUT_H_
#define SKYSAIL_SERVICES_DEFAULT_OUTPUT_H_

#include <cstdint>
#include <utility>

#include "base/slice.h"
#include "base/status.h"

namespace skysail::services {

// Immutable; shared by all threads.
class DefaultOutput {
 public:
  // `one_row` is an encoded ModelInferResponse that holds the outputs of one row, raw or typed.
  // InvalidArgument when it is not well-formed or has no outputs.
  static Result<DefaultOutput> Make(const Slice& one_row);
  // The payload of a response for `rows` rows: shared for one row, made anew for more. Outputs without
  // a leading dimension of 1 are the same for any number of rows. ResourceExhausted when it would be
  // larger than a message may be.
  Result<Bytes> PayloadFor(int64_t rows) const;

 private:
  DefaultOutput(Slice message, Bytes payload, bool repeats)
      : message_(std::move(message)), one_row_(std::move(payload)), repeats_(repeats) {}
  Slice message_;  // one row, raw
  Bytes one_row_;
  bool repeats_;
};

}  // namespace skysail::services

#endif  // SKYSAIL_SERVICES_DEFAULT_OUTPUT_H_
