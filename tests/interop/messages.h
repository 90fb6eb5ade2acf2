// The messages of test_service.proto, for the native ends of the interoperability cases.
//
// The native core reads and writes protobuf by hand; so do these, in plain structs. Payloads are zeros
// and are known by their size alone.
#ifndef SKYSAIL_TESTS_INTEROP_MESSAGES_H_
#define SKYSAIL_TESTS_INTEROP_MESSAGES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace skysail::interop {

inline constexpr char kService[] = "/grpc.testing.TestService/";
inline constexpr char kInitialKey[] = "x-grpc-test-echo-initial";
inline constexpr char kTrailingKey[] = "x-grpc-test-echo-trailing-bin";

struct EchoStatus {
  int code = 0;
  std::string message;
};

struct SimpleRequest {
  size_t response_size = 0;
  size_t payload_size = 0;
  std::optional<bool> response_compressed;
  std::optional<bool> expect_compressed;
  std::optional<EchoStatus> response_status;
};

struct ResponseParameters {
  size_t size = 0;
  std::optional<bool> compressed;
};

struct StreamingOutputCallRequest {
  std::vector<ResponseParameters> response_parameters;
  size_t payload_size = 0;
  std::optional<EchoStatus> response_status;
};

struct StreamingInputCallRequest {
  size_t payload_size = 0;
  std::optional<bool> expect_compressed;
};

std::string Encode(const SimpleRequest& request);
std::string Encode(const StreamingOutputCallRequest& request);
std::string Encode(const StreamingInputCallRequest& request);
// SimpleResponse and StreamingOutputCallResponse alike.
std::string EncodePayload(std::string_view body);
std::string EncodeAggregatedSize(size_t size);

// These give Internal when the bytes are malformed.
Result<SimpleRequest> ParseSimpleRequest(std::string_view message);
Result<StreamingOutputCallRequest> ParseStreamingOutputCallRequest(std::string_view message);
Result<StreamingInputCallRequest> ParseStreamingInputCallRequest(std::string_view message);
Result<std::string> ParsePayload(std::string_view message);
Result<size_t> ParseAggregatedSize(std::string_view message);

}  // namespace skysail::interop

#endif  // SKYSAIL_TESTS_INTEROP_MESSAGES_H_
