#include "services/retry_info.h"

#include <gtest/gtest.h>

namespace skysail::services {
namespace {

// The bytes that protobuf's own encoder makes of
//   google.rpc.Status{code: 8, message: "full", details: [Any of RetryInfo{retry_delay: 1.25 s}]}.
TEST(RetryInfoTest, IsAGoogleRpcStatusWithOneRetryInfo) {
  const std::string type = "type.googleapis.com/google.rpc.RetryInfo";
  std::string delay("\x08\x01\x10\x80\xe5\x9a\x77", 7);
  const std::string info = "\x0a\x07" + delay;
  const std::string any = std::string("\x0a\x28") + type + "\x12\x09" + info;
  const std::string expected = std::string("\x08\x08\x12\x04" "full" "\x1a") +
                               static_cast<char>(any.size()) + any;
  EXPECT_EQ(EncodeRetryInfo(ResourceExhausted("full"), 1250 * kMillisecond), expected);
}

}  // namespace
}  // namespace skysail::services
