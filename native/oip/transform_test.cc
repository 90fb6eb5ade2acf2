#include "oip/transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "oip/gather.h"
#include "oip/response.h"
#include "oip/testing.h"

namespace skysail::oip {
namespace {

using ::testing::ElementsAre;
namespace make = ::skysail::oip::testing;
using make::IntParameter;
using make::Raw;
using make::RawBytes;
using make::Tensor;
using make::TensorField;
using make::Text;
using make::TextParameter;
using make::Varint;

// A message with its view, as services hold them.
template <typename View>
struct Parsed {
  Slice message;
  View view;
};
Parsed<RequestView> Request(const std::string& text) {
  Parsed<RequestView> parsed{Slice::Copy(text), {}};
  const Status status = ParseRequest(parsed.message.view(), &parsed.view);
  EXPECT_TRUE(status.ok()) << status.message();
  return parsed;
}
Parsed<ResponseView> Response(const std::string& text) {
  Parsed<ResponseView> parsed{Slice::Copy(text), {}};
  const Status status = ParseResponse(parsed.message.view(), &parsed.view);
  EXPECT_TRUE(status.ok()) << status.message();
  return parsed;
}

Tensor Floats(std::string name, std::vector<int64_t> shape, std::vector<float> values) {
  std::string raw(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(raw.data(), values.data(), raw.size());
  return {std::move(name), "FP32", std::move(shape), std::move(raw)};
}

TEST(FieldWriterTest, WritesWhatTheParserReads) {
  std::string out;
  FieldWriter writer(&out);
  writer.String(1, "m");
  writer.Parameter("text", "literal");
  writer.Parameter("view", std::string_view("v"));
  writer.Parameter("yes", true);
  writer.Parameter("int", int64_t{-7});
  writer.Parameter("real", 0.25);
  const auto [message, view] = Request(out);
  using Kind = ParameterView::Kind;
  EXPECT_EQ(view.model_name, "m");
  const auto at = [&](std::string_view name) { return *FindParameter(view.parameters, name); };
  EXPECT_EQ(at("text").text, "literal");
  EXPECT_EQ(at("view").text, "v");
  EXPECT_EQ(at("yes").kind, Kind::kBool);
  EXPECT_EQ(at("yes").number, 1);
  EXPECT_EQ(at("int").number, -7);
  EXPECT_EQ(at("real").real, 0.25);
}

TEST(AppendHeadTest, OverridesWithoutCopyingTheMessage) {
  const auto [message, view] = Request(
      make::Request("app", "9", {Floats("x", {1}, {1})}, Text(3, "id") + IntParameter("a", 1)));
  std::string parameters;
  FieldWriter(&parameters).Parameter("skysail.context", "alice");
  const Bytes out = AppendHead(message, "model", "", parameters);
  EXPECT_EQ(out.slice(0).data(), message.data());
  const auto [sent, sent_view] = Request(out.ToString());
  EXPECT_EQ(sent_view.model_name, "model");
  EXPECT_EQ(sent_view.model_version, "");
  EXPECT_EQ(sent_view.id, "id");
  EXPECT_EQ(FindParameter(sent_view.parameters, "skysail.context")->text, "alice");
  EXPECT_EQ(sent_view.inputs.size(), 1u);
}

TEST(ModelRequestTest, HasNoIdAndNothingReserved) {
  const std::string more = Text(3, "id") + IntParameter("a", 1) + TextParameter("skysail.q", "z");
  const Tensor x = Floats("x", {1}, {1});
  const auto [message, view] = Request(make::Request("app", "9", {x}, more));
  EXPECT_EQ(ModelRequest(message, view, "m", "1").ToString(),
            make::Request("m", "1", {x}, IntParameter("a", 1)));
}

// The same elements, typed and raw.
struct TypedCase {
  const char* datatype;
  std::string contents;
  std::string raw;
};
std::string TypedRequest(const std::string& datatype, int64_t elements,
                         const std::string& contents) {
  return Text(1, "m") + TensorField({"t", datatype, {elements}, ""}, Text(5, contents));
}

TEST(NormalizeTest, EveryDatatypeBecomesRaw) {
  const std::string minus_one = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  const std::vector<TypedCase> cases = {
      {"BOOL", Text(1, "\1" + std::string(1, '\0')), Raw<uint8_t>({1, 0})},
      {"INT8", Text(2, minus_one + "\x7f"), Raw<int8_t>({-1, 127})},
      {"INT16", Text(2, minus_one + "\x7f"), Raw<int16_t>({-1, 127})},
      {"INT32", Varint(2, UINT64_MAX) + Varint(2, 5), Raw<int32_t>({-1, 5})},
      {"INT64", Text(3, minus_one + "\x7f"), Raw<int64_t>({-1, 127})},
      {"UINT8", Text(4, "\xff\x01\1"), Raw<uint8_t>({255, 1})},
      {"UINT16", Text(4, "\xff\x01\1"), Raw<uint16_t>({255, 1})},
      {"UINT32", Varint(4, UINT32_MAX) + Text(4, "\1"), Raw<uint32_t>({UINT32_MAX, 1})},
      {"UINT64", Varint(5, UINT64_MAX) + Varint(5, 1), Raw<uint64_t>({UINT64_MAX, 1})},
      {"FP32", Text(6, Raw<float>({1.5, -2})), Raw<float>({1.5, -2})},
      {"FP32", "\x35" + Raw<float>({1.5}) + "\x35" + Raw<float>({-2}), Raw<float>({1.5, -2})},
      {"FP64", Text(7, Raw<double>({1.5, -2})), Raw<double>({1.5, -2})},
      {"FP64", "\x39" + Raw<double>({1.5}) + Text(7, Raw<double>({2})), Raw<double>({1.5, 2})},
      {"BYTES", Text(8, "ab") + Text(8, ""), RawBytes({"ab", ""})},
  };
  for (const TypedCase& c : cases) {
    const auto [message, view] = Request(TypedRequest(c.datatype, 2, c.contents));
    EXPECT_FALSE(IsRaw(view));
    Result<Slice> result = NormalizeRequest(view);
    ASSERT_TRUE(result.ok()) << c.datatype << ": " << result.status().message();
    const std::string expected =
        Text(1, "m") + TensorField({"t", c.datatype, {2}, ""}) + Text(7, c.raw);
    EXPECT_EQ(std::string(result->view()), expected) << c.datatype;
    EXPECT_TRUE(IsRaw(Request(expected).view));
  }
}

TEST(NormalizeTest, NamesTheTensorAndWhatIsWrong) {
  const auto error = [](const std::string& datatype, int64_t elements,
                        const std::string& contents) {
    const auto [message, view] = Request(TypedRequest(datatype, elements, contents));
    Result<Slice> result = NormalizeRequest(view);
    EXPECT_EQ(result.status().kind(), ErrorKind::kInvalidArgument);
    return result.status().message();
  };
  EXPECT_EQ(error("INT8", 1, Varint(2, 300)),
            "tensor 't': element 0: expected a value of INT8, got 300");
  EXPECT_EQ(error("INT16", 2, Text(2, "\1") + Varint(2, static_cast<uint64_t>(-40000))),
            "tensor 't': element 1: expected a value of INT16, got -40000");
  EXPECT_EQ(error("UINT8", 1, Varint(4, UINT32_MAX)),
            "tensor 't': element 0: expected a value of UINT8, got 4294967295");
  EXPECT_EQ(error("FP32", 1, Varint(2, 1)),
            "tensor 't': datatype FP32: expected fp32_contents, got int_contents");
  EXPECT_EQ(error("FP16", 1, Text(6, Raw<float>({1}))),
            "tensor 't': datatype FP16: expected raw contents, got fp32_contents");
  EXPECT_EQ(error("FP32", 3, Text(6, Raw<float>({1, 2}))),
            "tensor 't': shape [3] takes 3 elements, got 2");
  EXPECT_EQ(error("FP32", -1, Text(6, Raw<float>({1}))),
            "tensor 't': shape [-1] has no number of elements, got 1");
  EXPECT_EQ(error("FP32", 1, Text(6, "abc")), "tensor 't': fp32_contents is malformed");
  EXPECT_EQ(error("INT64", 1, Text(3, "\xff")), "tensor 't': int64_contents is malformed");
  EXPECT_EQ(error("BYTES", 1, Varint(8, 1)), "tensor 't': bytes_contents is malformed");
  EXPECT_EQ(error("FP99", 1, Varint(2, 1)), "tensor 't': unknown datatype 'FP99'");
  EXPECT_EQ(error("FP32", 1, "\x32"),
            "tensor 't': contents: truncated or malformed field at byte 0");
}

TEST(NormalizeTest, AnInputWithoutContentsHasNoElements) {
  const auto [message, view] = Request(TensorField({"t", "FP32", {2}, ""}));
  EXPECT_EQ(NormalizeRequest(view).status().message(),
            "tensor 't': shape [2] has elements, got no contents");
  const auto [empty, empty_view] = Request(TensorField({"t", "FP32", {0, 2}, ""}));
  Result<Slice> result = NormalizeRequest(empty_view);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->view(), TensorField({"t", "FP32", {0, 2}, ""}) + Text(7, ""));
}

TEST(NormalizeTest, EverythingElseIsKept) {
  const std::string more = Text(3, "id") + TextParameter("skysail.context", "c") + Varint(99, 4);
  const std::string p = IntParameter("p", 1);
  const std::string contents = Text(5, Text(6, Raw<float>({1})));
  const auto [message, view] =
      Request(more + TensorField({"t", "FP32", {1}, ""}, contents + p) + Text(6, Text(1, "y")));
  Result<Slice> result = NormalizeRequest(view);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->view(), more + TensorField({"t", "FP32", {1}, ""}, p) + Text(6, Text(1, "y")) +
                                Text(7, Raw<float>({1})));
}

TEST(NormalizeTest, AResponseLikewise) {
  const auto [message, view] =
      Response(TensorField({"y", "INT64", {1}, ""}, Text(5, Varint(3, 4))));
  EXPECT_FALSE(IsRaw(view));
  Result<Slice> result = NormalizeResponse(view);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->view(), TensorField({"y", "INT64", {1}, ""}) + Text(6, Raw<int64_t>({4})));
  const auto [bad, bad_view] =
      Response(TensorField({"y", "INT64", {2}, ""}, Text(5, Varint(3, 4))));
  EXPECT_EQ(NormalizeResponse(bad_view).status().kind(), ErrorKind::kInternal);
}

TEST(NormalizeTest, TruncationAndMutationOfTypedContentsAreSafe) {
  const std::string contents = Text(3, "\1\2\xff\x01") + Varint(3, 5);
  const std::string whole = TypedRequest("INT64", 4, contents);
  std::mt19937 random(11);
  RequestView view;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<char> copy(whole.begin(), whole.end());
    if (round < static_cast<int>(whole.size())) copy.resize(round);
    for (uint32_t changes = random() % 3; changes > 0 && !copy.empty(); --changes) {
      copy[random() % copy.size()] = static_cast<char>(random());
    }
    if (!ParseRequest({copy.data(), copy.size()}, &view).ok()) continue;
    Result<Slice> result = NormalizeRequest(view);
    RequestView again;
    if (result.ok()) {
      EXPECT_TRUE(ParseRequest(result->view(), &again).ok());
    }
  }
}

TEST(BatchGroupTest, LikeRequestsShareOne) {
  const std::string more = IntParameter("p", 1) + TextParameter("q", "v");
  const std::string swapped = TextParameter("q", "v") + IntParameter("p", 1);
  const auto group = [](const std::string& text) { return BatchGroup(Request(text).view); };
  const std::string base =
      group(make::Request("m", "1", {Floats("x", {1, 2}, {1, 2})}, Text(3, "a") + more));
  EXPECT_EQ(base, group(make::Request("m", "1", {Floats("x", {2, 2}, {1, 2, 3, 4})},
                                      swapped + TextParameter("skysail.context", "alice"))));
}

TEST(BatchGroupTest, UnlikeRequestsDoNot) {
  const Tensor x = Floats("x", {1, 2}, {1, 2});
  Tensor wide = Floats("x", {1, 1, 2}, {1, 2});
  Tensor other = x;
  other.datatype = "INT32";
  const std::vector<std::string> unlike = {
      make::Request("m", "1", {x}),
      make::Request("m", "1", {wide}),
      make::Request("m", "1", {other}),
      make::Request("m", "1", {x, Floats("z", {1}, {1})}),
      make::Request("m", "1", {Floats("z", {1, 2}, {1, 2})}),
      make::Request("m", "1", {Floats("x", {2, 1}, {1, 2})}),
      make::Request("m", "1", {x}, IntParameter("p", 1)),
      make::Request("m", "1", {x}, IntParameter("p", 2)),
      make::Request("m", "1", {x}, Text(6, Text(1, "y"))),
      make::Request("m", "1", {x}, Text(6, Text(1, "y") + TextParameter("k", "v", 2))),
      make::Request("m", "1", {x}, Text(6, Text(1, "y")) + Text(6, Text(1, "z"))),
      Text(1, "m") + TensorField(x, IntParameter("p", 1)) + Text(7, x.raw),
  };
  std::vector<std::string> groups;
  for (const std::string& text : unlike) groups.push_back(BatchGroup(Request(text).view));
  std::sort(groups.begin(), groups.end());
  EXPECT_EQ(std::unique(groups.begin(), groups.end()), groups.end());
}

TEST(StackRequestsTest, ManyBecomeOne) {
  const std::string more = IntParameter("p", 1) + TextParameter("skysail.q", "z") +
                           Text(6, Text(1, "y") + TextParameter("k", "v", 2));
  std::vector<Parsed<RequestView>> requests;
  for (float i : {1.f, 3.f, 5.f}) {
    requests.push_back(Request(make::Request(
        "app", "", {Floats("x", {1, 2}, {i, i + 1}), {"s", "BYTES", {1}, RawBytes({"t"})}},
        Text(3, std::to_string(i)) + more)));
  }
  std::vector<BatchMember> members;
  for (const auto& [message, view] : requests) members.push_back({&message, &view, 1});
  const Bytes stacked = StackRequests(members, "m", "2");
  EXPECT_EQ(stacked.slices(), 1u);
  const std::vector<Tensor> inputs = {Floats("x", {3, 2}, {1, 2, 3, 4, 5, 6}),
                                      {"s", "BYTES", {3}, RawBytes({"t", "t", "t"})}};
  const auto [message, view] = Request(stacked.ToString());
  EXPECT_EQ(view.model_name, "m");
  EXPECT_EQ(view.model_version, "2");
  EXPECT_EQ(view.id, "");
  ASSERT_EQ(view.inputs.size(), 2u);
  EXPECT_EQ(view.inputs[0].shape, (Shape{3, 2}));
  EXPECT_EQ(view.inputs[0].raw, inputs[0].raw);
  EXPECT_EQ(view.inputs[1].raw, inputs[1].raw);
  ASSERT_EQ(view.parameters.size(), 1u);
  EXPECT_EQ(view.parameters[0].name, "p");
  EXPECT_EQ(view.outputs[0].parameters, TextParameter("k", "v", 2));
}

TEST(StackRequestsTest, LargeTensorsAreNotCopied) {
  const std::vector<float> many(2000, 1);
  const auto a = Request(make::Request("m", "", {Floats("x", {1, 2000}, many)}));
  const auto b = Request(make::Request("m", "", {Floats("x", {1, 2000}, many)}));
  const Bytes stacked =
      StackRequests({{&a.message, &a.view, 1}, {&b.message, &b.view, 1}}, "m", "");
  ASSERT_EQ(stacked.slices(), 3u);
  EXPECT_EQ(stacked.slice(1).data(), a.view.inputs[0].raw.data());
  EXPECT_EQ(stacked.slice(2).data(), b.view.inputs[0].raw.data());
  EXPECT_EQ(Request(stacked.ToString()).view.inputs[0].shape, (Shape{2, 2000}));
}

TEST(StackRequestsTest, ALoneMemberIsPassedOn) {
  const Tensor x = Floats("x", {2}, {1, 2});
  const auto [message, view] = Request(make::Request("app", "", {x}, Text(3, "id")));
  EXPECT_EQ(StackRequests({{&message, &view, 2}}, "m", "1").ToString(),
            make::Request("m", "1", {x}));
}

TEST(SplitResponseTest, EachMemberGetsItsRows) {
  const std::string more = IntParameter("p", 1) + TextParameter("skysail.cache", "hit");
  const auto [message, view] = Response(make::Response(
      "m", "1",
      {Floats("y", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
       {"s", "BYTES", {4, 1}, RawBytes({"a", "", "ccc", "dd"})}},
      Text(3, "id") + more));
  auto payloads = SplitResponse(message, view, {1, 2, 1});
  ASSERT_TRUE(payloads.ok());
  const auto payload = [](int64_t rows, std::vector<float> y, std::string s) {
    const std::vector<Tensor> outputs = {Floats("y", {rows, 2}, std::move(y)),
                                         {"s", "BYTES", {rows, 1}, std::move(s)}};
    return IntParameter("p", 1) + TensorField(outputs[0]) + TensorField(outputs[1]) +
           Text(6, outputs[0].raw) + Text(6, outputs[1].raw);
  };
  std::vector<std::string> texts;
  for (const Bytes& bytes : *payloads) texts.push_back(bytes.ToString());
  EXPECT_THAT(texts, ElementsAre(payload(1, {1, 2}, RawBytes({"a"})),
                                 payload(2, {3, 4, 5, 6}, RawBytes({"", "ccc"})),
                                 payload(1, {7, 8}, RawBytes({"dd"}))));
}

TEST(SplitResponseTest, LargeTensorsAreNotCopied) {
  const auto [message, view] =
      Response(make::Response("m", "", {Floats("y", {2, 2000}, std::vector<float>(4000, 1))}));
  auto payloads = SplitResponse(message, view, {1, 1});
  ASSERT_TRUE(payloads.ok());
  ASSERT_EQ((*payloads)[1].slices(), 2u);
  EXPECT_EQ((*payloads)[1].slice(1).data(), view.outputs[0].raw.data() + 8000);
}

TEST(SplitResponseTest, ALoneMemberGetsAllOfIt) {
  const Tensor y = Floats("y", {2}, {1, 2});
  const auto [message, view] = Response(make::Response("m", "1", {y}, Text(3, "id")));
  auto payloads = SplitResponse(message, view, {1});
  ASSERT_TRUE(payloads.ok());
  EXPECT_EQ((*payloads)[0].ToString(), TensorField(y) + Text(6, y.raw));
  EXPECT_EQ((*payloads)[0].slice(0).data(), message.data() + 10);
}

TEST(SplitResponseTest, WrongRowsAreAnError) {
  const auto error = [](const Tensor& output, const std::vector<int64_t>& rows) {
    const auto [message, view] = Response(make::Response("m", "", {output}));
    auto payloads = SplitResponse(message, view, rows);
    EXPECT_EQ(payloads.status().kind(), ErrorKind::kInternal);
    return payloads.status().message();
  };
  EXPECT_EQ(error(Floats("y", {3}, {1, 2, 3}), {1, 1}),
            "the model broke its contract: output 'y': expected 2 rows, got shape [3] in 12 bytes");
  EXPECT_NE(error(Floats("y", {}, {1}), {1, 1}), "");
  EXPECT_NE(error({"y", "FP32", {2}, "abcdefghi"}, {1, 1}), "");
  EXPECT_NE(error({"y", "BYTES", {2}, RawBytes({"a"})}, {1, 1}), "");
  EXPECT_NE(error({"y", "BYTES", {2}, RawBytes({"a", "b", "c"})}, {1, 1}), "");
  EXPECT_NE(error(Floats("y", {0}, {}), {0, 0}), "");
}

TEST(StackAndSplitTest, RowsComeBackToTheirOwners) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const int width = static_cast<int>(random() % 1500 + 1);
    const bool text = round % 2 == 1;
    std::vector<Parsed<RequestView>> requests;
    std::vector<int64_t> rows;
    for (uint32_t count = random() % 8 + 1; count > 0; --count) {
      rows.push_back(random() % 3 + 1);
      Tensor tensor{"x", text ? "BYTES" : "UINT8", {rows.back(), width}, ""};
      for (int64_t i = 0; i < rows.back() * width; ++i) {
        const auto byte = static_cast<char>(random());
        tensor.raw += text ? RawBytes({std::string(random() % 4, byte)}) : std::string(1, byte);
      }
      requests.push_back(Request(make::Request("m", "", {tensor})));
    }
    std::vector<BatchMember> members;
    for (size_t i = 0; i < requests.size(); ++i) {
      members.push_back({&requests[i].message, &requests[i].view, rows[i]});
    }
    const auto stacked = Request(StackRequests(members, "m", "").ToString());
    // A model that gives back what it gets.
    const TensorView& x = stacked.view.inputs[0];
    const auto answer = Response(make::Response(
        "m", "", {{"x", std::string(x.datatype_name), {x.shape[0], width}, std::string(x.raw)}}));
    auto payloads = SplitResponse(answer.message, answer.view, rows);
    ASSERT_TRUE(payloads.ok()) << payloads.status().message();
    for (size_t i = 0; i < requests.size(); ++i) {
      const auto part = Response((*payloads)[i].ToString());
      EXPECT_EQ(part.view.outputs[0].shape, requests[i].view.inputs[0].shape);
      ASSERT_EQ(part.view.outputs[0].raw, requests[i].view.inputs[0].raw);
    }
  }
}

TEST(ResponseTest, HeadStandsBeforeThePayload) {
  const Tensor y = Floats("y", {1}, {2});
  const auto [message, view] = Response(
      make::Response("m", "1", {y}, IntParameter("p", 1) + TextParameter("skysail.default", "x")));
  std::string parameters;
  FieldWriter(&parameters).Parameter("skysail.cache", "hit");
  Bytes payload = PayloadOf(message, view);
  EXPECT_EQ(payload.slices(), 2u);
  const Bytes response = EncodeResponse({"app", "3", "id", parameters}, payload);
  EXPECT_EQ(response.ToString(), Text(1, "app") + Text(2, "3") + Text(3, "id") + parameters +
                                     IntParameter("p", 1) + TensorField(y) + Text(6, y.raw));
  EXPECT_EQ(EncodeResponse({}, payload).ToString(), payload.ToString());
}

TEST(SplitResponseTest, NoAnswerDoesWorseThanAnError) {
  const std::string whole = make::Response(
      "m", "1",
      {Floats("y", {3, 2}, {1, 2, 3, 4, 5, 6}), {"s", "BYTES", {3}, RawBytes({"a", "", "c"})}},
      IntParameter("p", 1));
  std::mt19937 random(5);
  ResponseView view;
  int split = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string text = whole;
    for (uint32_t changes = random() % 3 + 1; changes > 0; --changes) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    const Slice message = Slice::Copy(text);
    if (!ParseResponse(message.view(), &view).ok()) continue;
    auto payloads = SplitResponse(message, view, {1, 2});
    split += payloads.ok();
    (void)RepeatRows(view, 3, 1000);
    (void)NormalizeResponse(view);
  }
  EXPECT_GT(split, 0);
}

TEST(RepeatRowsTest, MakesAsManyRowsAsAsked) {
  const std::string more = IntParameter("p", 1);
  const auto one = Response(make::Response(
      "", "", {Floats("y", {1, 2}, {1, 2}), {"s", "BYTES", {1}, RawBytes({"no"})}}, more));
  Result<Bytes> three = RepeatRows(one.view, 3);
  ASSERT_TRUE(three.ok());
  const Tensor y = Floats("y", {3, 2}, {1, 2, 1, 2, 1, 2});
  const Tensor s{"s", "BYTES", {3}, RawBytes({"no", "no", "no"})};
  EXPECT_EQ(three->ToString(),
            more + TensorField(y) + TensorField(s) + Text(6, y.raw) + Text(6, s.raw));
}

TEST(RepeatRowsTest, RefusesWhatItCannotRepeat) {
  const auto repeat = [](const std::string& text, int64_t rows) {
    const auto [message, view] = Response(text);
    return RepeatRows(view, rows, 1000).status().kind();
  };
  const std::string good = make::Response("", "", {Floats("y", {1}, {1})});
  EXPECT_EQ(repeat(good, 200), ErrorKind::kOk);
  EXPECT_EQ(repeat(good, 1000), ErrorKind::kResourceExhausted);
  EXPECT_EQ(repeat(good, INT64_MAX), ErrorKind::kResourceExhausted);
  EXPECT_EQ(repeat(good, -1), ErrorKind::kResourceExhausted);
  EXPECT_EQ(repeat(make::Response("", "", {Floats("y", {2}, {1, 2})}), 2),
            ErrorKind::kInvalidArgument);
  EXPECT_EQ(repeat(TensorField({"y", "FP32", {1}, ""}), 2), ErrorKind::kInvalidArgument);
}

TEST(GatherTest, GrowsBeyondWhatWasExpected) {
  Gather gather(4);
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    gather.Copy("abc");
    expected += "abc";
  }
  EXPECT_EQ(gather.Take().ToString(), expected);
  EXPECT_TRUE(gather.Take().empty());
}

}  // namespace
}  // namespace skysail::oip
