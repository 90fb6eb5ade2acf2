#include "telemetry/span_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "telemetry/otlp.h"

namespace skysail::telemetry {
namespace {

SpanRecord Record(Stage stage, TraceId trace, SpanId span, SpanId parent = 0) {
  SpanRecord record;
  record.stage = stage;
  record.trace = trace;
  record.span = span;
  record.parent = parent;
  record.start = 1000;
  record.end = 5000;
  record.flags = SpanRecord::kSampled;
  return record;
}
const SpanText::Value* Find(const SpanText& text, std::string_view key) {
  for (const auto& [name, value] : text.attributes) {
    if (name == key) return &value;
  }
  return nullptr;
}

TEST(SpanTextTest, ABatchAndItsMembersAreLinkedBothWays) {
  SpanRecord batch = Record(Stage::kBatch, TraceOfBatch(77), 77);
  batch.batch = 77;
  SpanRecord one = Record(Stage::kRun, {1, 1}, 11), two = Record(Stage::kRun, {2, 2}, 22);
  one.batch = two.batch = 77;
  const std::vector<SpanText> texts = ToText({batch, one, two}, 0);
  ASSERT_EQ(texts.size(), 3u);
  using Links = decltype(SpanText::links);
  EXPECT_EQ(texts[0].links, (Links{{TraceId{1, 1}, 11}, {TraceId{2, 2}, 22}}));
  EXPECT_EQ(texts[1].links, (Links{{TraceOfBatch(77), 77}}));
  EXPECT_EQ(texts[2].links, texts[1].links);
}

TEST(SpanTextTest, ADefaultIsNoErrorButSaysWhatItStandsFor) {
  SpanRecord request = Record(Stage::kRequest, {1, 1}, 1);
  request.status = ErrorKind::kDeadlineExceeded;
  request.flags |= SpanRecord::kDefault;
  const SpanText text = ToText({request}, 0)[0];
  EXPECT_EQ(text.error, "");
  EXPECT_EQ(std::get<bool>(*Find(text, "skysail.default")), true);
  EXPECT_EQ(std::get<std::string>(*Find(text, "skysail.default.reason")), "deadline_exceeded");
  request.flags &= static_cast<uint8_t>(~SpanRecord::kDefault);
  EXPECT_EQ(ToText({request}, 0)[0].error, "deadline_exceeded");
}

TEST(SpanTextTest, MatesAreNotExported) {
  SpanRecord mate = Record(Stage::kRun, {1, 1}, 1);
  const std::string with = EncodeOtlp({}, ToText({mate}, 0));
  mate.flags = SpanRecord::kMate;
  EXPECT_LT(EncodeOtlp({}, ToText({mate}, 0)).size(), with.size());
}

}  // namespace
}  // namespace skysail::telemetry
