// The native gRPC server doing what the reference servers do: native_server [THREADS], protobuf
// read, sixteen floats a row summed, protobuf written. Prints its port; ends with its stdin.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/slice.h"
#include "base/status.h"
#include "net/address.h"
#include "net/event_loop.h"
#include "net/grpc_server.h"
#include "oip/message.h"
#include "oip/transform.h"

namespace {

using skysail::InvalidArgument;
using skysail::Slice;
using skysail::Status;

constexpr int64_t kColumns = 16;
constexpr size_t kRowBytes = kColumns * sizeof(float);

// Appends `value` as a protobuf varint.
void AppendVarint(std::string* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to->push_back(static_cast<char>(value | 0x80));
  to->push_back(static_cast<char>(value));
}

// Output "y" FP32 [n, 1]: the row sums of the one FP32 [n, 16] input. Any thread.
class RowSums final : public skysail::net::UnaryHandler {
 public:
  void Handle(skysail::net::UnaryCall call) override {
    thread_local skysail::oip::RequestView request;
    request.Clear();
    const Status parsed = skysail::oip::ParseRequest(call.request().view(), &request);
    if (!parsed.ok()) return call.Fail(parsed);
    if (request.inputs.size() != 1 || !Sums(request.inputs[0])) {
      return call.Fail(InvalidArgument("want one raw FP32 [n, 16] input"));
    }
    call.Respond(Slice::Copy(Answer(request)));
  }

 private:
  static bool Sums(const skysail::oip::TensorView& input) {
    return input.datatype == skysail::oip::DataType::kFp32 && input.shape.rank() == 2 &&
           input.shape[0] > 0 && input.shape[1] == kColumns && input.has_raw &&
           input.raw.size() % kRowBytes == 0 &&
           static_cast<int64_t>(input.raw.size() / kRowBytes) == input.shape[0];
  }

  static std::string_view Answer(const skysail::oip::RequestView& request) {
    const std::string_view raw = request.inputs[0].raw;
    const size_t rows = raw.size() / kRowBytes;
    thread_local std::string sums, shape, output, answer;
    sums.resize(rows * sizeof(float));
    for (size_t row = 0; row < rows; ++row) {
      float values[kColumns];
      std::memcpy(values, raw.data() + row * kRowBytes, kRowBytes);
      float sum = 0;
      for (const float value : values) sum += value;
      std::memcpy(sums.data() + row * sizeof sum, &sum, sizeof sum);
    }
    shape.clear();
    AppendVarint(&shape, rows);
    AppendVarint(&shape, 1);
    output.clear();
    skysail::oip::FieldWriter tensor(&output);
    tensor.String(1, "y");
    tensor.String(2, "FP32");
    tensor.String(3, shape);
    answer.clear();
    skysail::oip::FieldWriter response(&answer);
    response.String(1, request.model_name);
    response.String(2, "1");
    if (!request.id.empty()) response.String(3, request.id);
    response.String(5, output);
    response.String(6, sums);
    return answer;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (threads < 1 || threads > 64) {
    std::fprintf(stderr, "THREADS is 1 to 64\n");
    return 2;
  }
  skysail::net::LoopThreads loops(threads);
  skysail::net::GrpcServer server(loops, skysail::net::ServerOptions());
  RowSums handler;
  server.AddUnary("/inference.GRPCInferenceService/ModelInfer", &handler);
  const auto address = server.Listen(*skysail::net::Address::Parse("127.0.0.1:0"), false);
  if (!address.ok()) {
    std::fprintf(stderr, "%s\n", address.status().ToString().c_str());
    return 1;
  }
  loops.Start();
  server.Start();
  std::printf("%d\n", address.value().port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.Shutdown();
  loops.Stop();
}
