#include "services/trace_metadata.h"

#include <gtest/gtest.h>

#include <string>

namespace skysail::services {
namespace {

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceMetadataTest, IsReadAsItWasWritten) {
  net::Metadata metadata;
  metadata.Add("other", "x");
  metadata.Add("traceparent", kParent);
  metadata.Add("tracestate", "a=1");
  metadata.Add("baggage", "b=2");
  const telemetry::TraceContext context = ReadTrace(metadata);
  ASSERT_TRUE(context.valid());
  net::Metadata again;
  AddTrace(context, &again);
  EXPECT_EQ(again.size(), 2u);
  EXPECT_EQ(again.Get("traceparent"), kParent);
  EXPECT_EQ(again.Get("tracestate"), "a=1");
}

TEST(TraceMetadataTest, NoneIsWrittenAsNothing) {
  net::Metadata metadata;
  AddTrace(ReadTrace(net::Metadata()), &metadata);
  EXPECT_TRUE(metadata.empty());
}

TEST(TraceMetadataTest, SeveralParentsAreMalformedAndSeveralStatesOneList) {
  net::Metadata parents;
  parents.Add("traceparent", kParent);
  parents.Add("traceparent", kParent);
  EXPECT_FALSE(ReadTrace(parents).valid());
  net::Metadata states;
  states.Add("tracestate", "a=1");
  states.Add("traceparent", kParent);
  states.Add("tracestate", "b=2");
  states.Add("tracestate", "c=3");
  EXPECT_EQ(ReadTrace(states).state, "a=1,b=2,c=3");
}

TEST(TraceMetadataTest, ABombOfStatesIsNotKept) {
  net::Metadata metadata;
  metadata.Add("traceparent", kParent);
  for (int i = 0; i < 2000; ++i) metadata.Add("tracestate", "k" + std::to_string(i) + "=v");
  const telemetry::TraceContext context = ReadTrace(metadata);
  EXPECT_TRUE(context.valid());
  EXPECT_TRUE(context.state.empty());
}

}  // namespace
}  // namespace skysail::services
