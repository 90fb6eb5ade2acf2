// The work that every server of the network row does: protobuf read, sixteen floats a row summed,
// protobuf written.
#ifndef SKYSAIL_BENCHMARKS_REFERENCE_ROW_SUMS_H_
#define SKYSAIL_BENCHMARKS_REFERENCE_ROW_SUMS_H_

#include <cstring>
#include <string>

#include "inference.pb.h"

namespace skysail::reference {

// Fills `response` with output "y" FP32 [n, 1], the row sums of the raw FP32 [n, 16] input. False
// when the request holds no such input.
inline bool AnswerRowSums(const inference::ModelInferRequest& request,
                          inference::ModelInferResponse* response) {
  constexpr size_t kColumns = 16;
  if (request.inputs_size() != 1 || request.raw_input_contents_size() != 1) return false;
  const auto& input = request.inputs(0);
  const std::string& raw = request.raw_input_contents(0);
  if (input.datatype() != "FP32" || input.shape_size() != 2 || input.shape(0) < 1 ||
      input.shape(1) != kColumns ||
      raw.size() != static_cast<size_t>(input.shape(0)) * kColumns * sizeof(float)) {
    return false;
  }
  response->set_model_name(request.model_name());
  response->set_model_version("1");
  response->set_id(request.id());
  auto* output = response->add_outputs();
  output->set_name("y");
  output->set_datatype("FP32");
  output->add_shape(input.shape(0));
  output->add_shape(1);
  const auto rows = static_cast<size_t>(input.shape(0));
  std::string* sums = response->add_raw_output_contents();
  sums->resize(rows * sizeof(float));
  for (size_t row = 0; row < rows; ++row) {
    float values[kColumns];
    std::memcpy(values, raw.data() + row * sizeof values, sizeof values);
    float sum = 0;
    for (const float value : values) sum += value;
    std::memcpy(sums->data() + row * sizeof sum, &sum, sizeof sum);
  }
  return true;
}

}  // namespace skysail::reference

#endif  // SKYSAIL_BENCHMARKS_REFERENCE_ROW_SUMS_H_
