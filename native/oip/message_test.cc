#include "oip/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "oip/testing.h"

namespace skysail::oip {
namespace {

using ::testing::HasSubstr;
namespace make = ::skysail::oip::testing;
using make::IntParameter;
using make::Raw;
using make::Tensor;
using make::TensorField;
using make::Text;
using make::TextParameter;
using make::Varint;

const Tensor kX{"x", "FP32", {1, 2}, Raw<float>({1, 2})};
const Tensor kN{"n", "INT64", {1}, Raw<int64_t>({7})};

std::string Join(const std::vector<std::string_view>& spans) {
  std::string text;
  for (std::string_view span : spans) text += span;
  return text;
}

std::string Error(std::string_view message) {
  RequestView view;
  const Status status = ParseRequest(message, &view);
  if (!status.ok()) {
    EXPECT_EQ(status.kind(), ErrorKind::kInvalidArgument);
  }
  return status.message();
}

TEST(ParseRequestTest, ReadsEveryField) {
  const std::string more = Text(3, "id-1") + IntParameter("priority", -2) +
                           TextParameter("skysail.context", "alice") +
                           Text(6, Text(1, "y") + TextParameter("k", "v", 2));
  const std::string message = make::Request("m", "3", {kX, kN}, more);
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.message.data(), message.data());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(view.model_version, "3");
  EXPECT_EQ(view.id, "id-1");
  ASSERT_EQ(view.inputs.size(), 2u);
  EXPECT_EQ(view.inputs[0].name, "x");
  EXPECT_EQ(view.inputs[0].datatype, DataType::kFp32);
  EXPECT_EQ(view.inputs[0].shape, (Shape{1, 2}));
  EXPECT_TRUE(view.inputs[0].has_raw);
  EXPECT_EQ(view.inputs[0].raw, kX.raw);
  EXPECT_EQ(view.inputs[1].raw, kN.raw);
  ASSERT_EQ(view.outputs.size(), 1u);
  EXPECT_EQ(view.outputs[0].name, "y");
  EXPECT_EQ(view.outputs[0].parameters, TextParameter("k", "v", 2));
  ASSERT_EQ(view.parameters.size(), 2u);
  EXPECT_EQ(FindParameter(view.parameters, "priority")->number, -2);
  EXPECT_EQ(FindParameter(view.parameters, "skysail.context")->text, "alice");
  EXPECT_EQ(FindParameter(view.parameters, "other"), nullptr);
}

TEST(ParseRequestTest, ReadsEveryKindOfParameter) {
  const auto parameter = [](std::string_view name, std::string_view value) {
    return Text(4, Text(1, name) + Text(2, value));
  };
  std::string real = "\x21";
  real += Raw<double>({2.5});
  const std::string message = parameter("bool", Varint(1, 1)) + parameter("int", Varint(2, -5)) +
                              parameter("text", Text(3, "t")) + parameter("real", real) +
                              parameter("uint", Varint(5, UINT64_MAX)) + parameter("none", "") +
                              Text(4, Text(1, "empty"));
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  using Kind = ParameterView::Kind;
  const auto kind = [&](std::string_view name) {
    return FindParameter(view.parameters, name)->kind;
  };
  EXPECT_EQ(kind("bool"), Kind::kBool);
  EXPECT_EQ(kind("int"), Kind::kInt64);
  EXPECT_EQ(kind("text"), Kind::kString);
  EXPECT_EQ(kind("real"), Kind::kDouble);
  EXPECT_EQ(kind("uint"), Kind::kUint64);
  EXPECT_EQ(kind("none"), Kind::kNone);
  EXPECT_EQ(kind("empty"), Kind::kNone);
  EXPECT_EQ(FindParameter(view.parameters, "real")->real, 2.5);
  EXPECT_EQ(static_cast<uint64_t>(FindParameter(view.parameters, "uint")->number), UINT64_MAX);
}

TEST(ParseRequestTest, TheLastOccurrenceCounts) {
  const std::string message = make::Request("first", "1", {kX}) + IntParameter("p", 1) +
                              Text(1, "second") + IntParameter("p", 2);
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.model_name, "second");
  EXPECT_EQ(view.model_version, "1");
  EXPECT_EQ(FindParameter(view.parameters, "p")->number, 2);
}

TEST(ParseRequestTest, VisibleIsWhatAModelMaySee) {
  const std::string p = IntParameter("p", 1);
  const std::string y = Text(6, Text(1, "y"));
  const std::string message = Text(1, "m") + p + TextParameter("skysail.context", "a") + y +
                              TensorField(kX) + Text(3, "id") + Text(7, kX.raw) + Varint(99, 1);
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(Join(view.visible), p + y + TensorField(kX) + Text(7, kX.raw));
  EXPECT_EQ(view.visible.size(), 3u);
}

TEST(ParseRequestTest, AnIdAndAContextDoNotChangeWhatIsVisible) {
  RequestView a, b;
  const std::string one = make::Request("m", "1", {kX}, Text(3, "1"));
  const std::string two =
      make::Request("n", "2", {kX}, Text(3, "22") + TextParameter("skysail.context", "b"));
  ASSERT_TRUE(ParseRequest(one, &a).ok());
  ASSERT_TRUE(ParseRequest(two, &b).ok());
  EXPECT_EQ(Join(a.visible), Join(b.visible));
}

TEST(ParseRequestTest, RawContentsMayComeBeforeTheirInputs) {
  const std::string message =
      Text(7, kX.raw) + TensorField(kX) + Text(7, kN.raw) + TensorField(kN);
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.inputs[0].raw, kX.raw);
  EXPECT_EQ(view.inputs[1].raw, kN.raw);
}

TEST(ParseRequestTest, DimensionsMayComeOneByOne) {
  const std::string message =
      Text(5, Text(1, "x") + Varint(3, 4) + Varint(3, -1) + Text(3, "\x05"));
  RequestView view;
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.inputs[0].shape, (Shape{4, -1, 5}));
}

TEST(ParseRequestTest, AUsedViewIsAsGoodAsNew) {
  RequestView view;
  const std::string typed =
      Text(5, Text(1, "t") + Text(5, Text(6, "")) + TextParameter("k", "v"));
  ASSERT_TRUE(ParseRequest(typed + Text(6, Text(1, "y")), &view).ok());
  ASSERT_TRUE(view.inputs[0].has_typed);
  const std::string message = make::Request("m", "", {kX});
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.inputs.size(), 1u);
  EXPECT_FALSE(view.inputs[0].has_typed);
  EXPECT_TRUE(view.inputs[0].parameters.empty());
  EXPECT_TRUE(view.outputs.empty());
  EXPECT_EQ(view.model_version, "");
}

TEST(ParseRequestTest, HeadReadsTheTopOnly) {
  const std::string more = Text(3, "i") + IntParameter("p", 1);
  const std::string message = make::Request("m", "1", {kX}, more) + Text(5, "\xff");
  RequestView view;
  ASSERT_TRUE(ParseRequestHead(message, &view).ok());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(view.id, "i");
  EXPECT_TRUE(view.inputs.empty());
  EXPECT_EQ(Join(view.visible), message.substr(message.find(IntParameter("p", 1))));
  EXPECT_FALSE(ParseRequest(message, &view).ok());
}

TEST(ParseRequestTest, ErrorsNameThePlace) {
  EXPECT_THAT(Error(Varint(1, 3)),
              HasSubstr("model_name: wire type of field 1: expected 2, got 0"));
  EXPECT_THAT(Error(Text(1, "\xff")), HasSubstr("model_name: is not valid UTF-8"));
  EXPECT_THAT(Error(Text(3, "\xc0\x80")), HasSubstr("id: is not valid UTF-8"));
  EXPECT_THAT(Error(TextParameter("\xff", "")), HasSubstr("parameters: is not valid UTF-8"));
  EXPECT_THAT(Error(TextParameter("p", "\xff")), HasSubstr("parameters: is not valid UTF-8"));
  EXPECT_THAT(Error(Text(5, Text(1, "\xff"))), HasSubstr("inputs[0]: name: is not valid UTF-8"));
  EXPECT_THAT(Error(TensorField(kX) + Text(5, Text(1, "t") + Text(2, "\xff"))),
              HasSubstr("inputs[1] 't': datatype: is not valid UTF-8"));
  EXPECT_THAT(Error(Text(5, Text(1, "t") + Text(3, "\x80"))),
              HasSubstr("inputs[0] 't': shape: is truncated"));
  EXPECT_THAT(Error(Text(5, Text(1, "t") + Text(3, std::string(17, '\1')))),
              HasSubstr("inputs[0] 't': shape: has more than 16 dimensions"));
  EXPECT_THAT(Error(Text(5, Text(1, "t") + Text(5, "") + Text(5, ""))),
              HasSubstr("inputs[0] 't': contents: is given twice"));
  EXPECT_THAT(Error(Text(6, Text(1, "\xff"))), HasSubstr("outputs[0]: name: is not valid UTF-8"));
  EXPECT_THAT(Error(Varint(7, 1)), HasSubstr("raw_input_contents: wire type"));
  EXPECT_THAT(Error("\x0a\x05m"), HasSubstr("truncated or malformed field at byte 0"));
  EXPECT_THAT(Error(Text(1, "m") + "\x0b"), HasSubstr("truncated or malformed field at byte 3"));
  EXPECT_THAT(Error(std::string(11, '\xff')), HasSubstr("at byte 0"));
}

TEST(ParseRequestTest, RawContentsMatchTheInputs) {
  EXPECT_THAT(Error(TensorField(kX) + TensorField(kN) + Text(7, kX.raw)),
              HasSubstr("raw_input_contents: expected one entry for each of 2 inputs, got 1"));
  EXPECT_THAT(Error(Text(7, "")), HasSubstr("each of 0 inputs, got 1"));
  EXPECT_THAT(Error(TensorField(kX, Text(5, Text(6, "abcd"))) + Text(7, kX.raw)),
              HasSubstr("inputs[0] 'x': has typed and raw contents"));
  EXPECT_EQ(Error(TensorField(kX) + TensorField(kN)), "");
}

// Found by oip_message_fuzz: protobuf reads five bytes of a tag or a length and no more.
TEST(ParseRequestTest, ATagOrALengthPaddedBeyondFiveBytesIsMalformed) {
  const auto padded = [](char low, int zeroes) {
    std::string out(1, static_cast<char>(low | 0x80));
    for (int i = 1; i < zeroes; ++i) out.push_back('\x80');
    return out.append(1, '\0');
  };
  const char tag = 1 << 3 | 2, length = 1;
  const std::string padded_but_legal = padded(tag, 4) + padded(length, 4) + "m";
  RequestView view;
  EXPECT_TRUE(ParseRequest(padded_but_legal, &view).ok());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(Error(padded(tag, 5) + length + "m"),
            "malformed request: truncated or malformed field at byte 0");
  EXPECT_EQ(Error(tag + padded(length, 5) + "m"),
            "malformed request: truncated or malformed field at byte 0");
}

TEST(ParseRequestTest, EntriesAreBounded) {
  for (const auto& [field, name] : std::vector<std::pair<int, std::string>>{
           {4, "parameters"}, {5, "inputs"}, {6, "outputs"}, {7, "raw_input_contents"}}) {
    std::string message;
    for (size_t i = 0; i < kMaxEntries; ++i) message += Text(field, "");
    EXPECT_THAT(Error(message), ::testing::Not(HasSubstr("got more"))) << name;
    EXPECT_THAT(Error(message + Text(field, "")),
                HasSubstr(name + ": expected at most 16384, got more"));
  }
}

TEST(ParseRequestTest, ParametersOfATensorLieTogether) {
  const std::string p = TextParameter("p", "v");
  RequestView view;
  const std::string message = TensorField(kX, p + p);
  ASSERT_TRUE(ParseRequest(message, &view).ok());
  EXPECT_EQ(view.inputs[0].parameters, p + p);
  EXPECT_THAT(Error(TensorField(kX, p + Text(2, "FP64") + p)),
              HasSubstr("inputs[0] 'x': parameters: are not adjacent"));
}

TEST(ParseResponseTest, ReadsEveryField) {
  const std::string more = Text(3, "i") + TextParameter("skysail.cache", "hit");
  const std::string message = make::Response("m", "1", {kX, kN}, more);
  ResponseView view;
  ASSERT_TRUE(ParseResponse(message, &view).ok());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(view.id, "i");
  ASSERT_EQ(view.outputs.size(), 2u);
  EXPECT_EQ(view.outputs[1].raw, kN.raw);
  EXPECT_EQ(Join(view.visible),
            TensorField(kX) + TensorField(kN) + Text(6, kX.raw) + Text(6, kN.raw));
  ResponseView head;
  ASSERT_TRUE(ParseResponseHead(message, &head).ok());
  EXPECT_EQ(Join(head.visible), Join(view.visible));
  EXPECT_TRUE(head.outputs.empty());
}

TEST(ParseResponseTest, ABadOneIsThePeersFault) {
  ResponseView view;
  const Status status = ParseResponse(TensorField(kX) + Text(6, "") + Text(6, ""), &view);
  EXPECT_EQ(status.kind(), ErrorKind::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("raw_output_contents: expected one entry"));
}

// Every view of a parsed message lies inside it.
void ExpectInside(std::string_view message, const RequestView& view) {
  const auto inside = [&](std::string_view part) {
    return part.empty() ||
           (part.data() >= message.data() &&
            part.data() + part.size() <= message.data() + message.size());
  };
  EXPECT_TRUE(inside(view.model_name) && inside(view.model_version) && inside(view.id));
  for (const TensorView& tensor : view.inputs) {
    EXPECT_TRUE(inside(tensor.name) && inside(tensor.raw) && inside(tensor.typed) &&
                inside(tensor.parameters) && inside(tensor.datatype_name));
  }
  for (std::string_view span : view.visible) EXPECT_TRUE(inside(span));
}

std::string Rich() {
  return make::Request("model", "12", {kX, kN},
                       Text(3, "id") + IntParameter("p", 300) +
                           TextParameter("skysail.q", "\xc3\xa9") +
                           Text(6, Text(1, "y") + TextParameter("k", "v", 2)));
}

TEST(ParseRequestTest, TruncationAtAnyByteIsAnErrorOrAShorterMessage) {
  const std::string whole = Rich();
  int refused = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    // Its own allocation, so that the address sanitizer sees a read past the end.
    const std::vector<char> copy(whole.begin(), whole.begin() + size);
    RequestView view;
    const std::string_view cut(copy.data(), copy.size());
    if (ParseRequest(cut, &view).ok()) {
      ExpectInside(cut, view);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, static_cast<int>(whole.size() / 2));
}

TEST(ParseRequestTest, MutationNeverReadsOutside) {
  const std::string whole = Rich();
  std::mt19937 random(7);
  RequestView request;
  ResponseView response;
  for (int round = 0; round < 50'000; ++round) {
    std::vector<char> copy(whole.begin(), whole.end());
    for (uint32_t changes = random() % 4 + 1; changes > 0; --changes) {
      copy[random() % copy.size()] = static_cast<char>(random());
    }
    const std::string_view text(copy.data(), copy.size());
    if (ParseRequest(text, &request).ok()) ExpectInside(text, request);
    (void)ParseRequestHead(text, &request);
    (void)ParseResponse(text, &response);
    (void)ParseResponseHead(text, &response);
  }
}

}  // namespace
}  // namespace skysail::oip
