#include "oip/signature.h"

#include <gtest/gtest.h>

#include "oip/testing.h"

namespace skysail::oip {
namespace {

namespace make = ::skysail::oip::testing;
using make::Raw;
using make::RawBytes;
using make::Tensor;
using make::TensorField;
using make::Text;

TensorSpec Spec(std::string name, std::string_view datatype, Shape shape) {
  return {std::move(name), ParseDataType(datatype), shape};
}

const Signature kModel{{Spec("x", "FP32", {-1, 2})}, {Spec("y", "FP32", {-1, 1})}, 4};
const Signature kText{{Spec("s", "BYTES", {-1})}, {Spec("y", "FP32", {-1})}, 0};

Tensor X(std::vector<int64_t> shape, size_t floats, std::string datatype = "FP32") {
  return {"x", std::move(datatype), std::move(shape), std::string(floats * 4, '\0')};
}

// What CheckRequest says of a message; "" when it is content.
std::string Check(const Signature& signature, const std::string& message, int64_t* rows = nullptr) {
  RequestView view;
  Status status = ParseRequest(message, &view);
  EXPECT_TRUE(status.ok()) << status.message();
  int64_t ignored;
  status = CheckRequest(signature, view, rows != nullptr ? rows : &ignored);
  if (!status.ok()) {
    EXPECT_EQ(status.kind(), ErrorKind::kInvalidArgument);
  }
  return status.message();
}
std::string Check(const Signature& signature, const std::vector<Tensor>& inputs) {
  return Check(signature, make::Request("m", "1", inputs));
}

TEST(CheckRequestTest, TakesWhatFitsAndCountsRows) {
  int64_t rows = 0;
  EXPECT_EQ(Check(kModel, make::Request("m", "1", {X({3, 2}, 6)}), &rows), "");
  EXPECT_EQ(rows, 3);
}

TEST(CheckRequestTest, NamesExpectedAndGot) {
  EXPECT_EQ(Check(kModel, {X({2, 2}, 4, "INT64")}),
            "tensor 'x': expected datatype FP32, got INT64");
  EXPECT_EQ(Check(kModel, {X({2, 2}, 4, "float")}),
            "tensor 'x': expected datatype FP32, got 'float'");
  EXPECT_EQ(Check(kModel, {X({2, 3}, 6)}), "tensor 'x': expected shape [-1,2], got [2,3]");
  EXPECT_EQ(Check(kModel, {X({2}, 2)}), "tensor 'x': expected shape [-1,2], got [2]");
  EXPECT_EQ(Check(kModel, {X({-1, 2}, 2)}), "tensor 'x': expected shape [-1,2], got [-1,2]");
  EXPECT_EQ(Check(kModel, {X({2, 2}, 3)}),
            "tensor 'x': shape [2,2] of FP32 takes 16 bytes, got 12");
  EXPECT_EQ(Check(kModel, {X({INT64_MAX, 2}, 3)}),
            "tensor 'x': shape [9223372036854775807,2] has too many elements");
  EXPECT_EQ(Check(kModel, {X({int64_t{1} << 61, 2}, 3)}),
            "tensor 'x': shape [2305843009213693952,2] has too many elements");
}

TEST(CheckRequestTest, InputsAreThereOnceAndNoOthers) {
  EXPECT_EQ(Check(kModel, std::vector<Tensor>{}), "tensor 'x': input is missing");
  EXPECT_EQ(Check(kModel, {{"z", "FP32", {1}, ""}}), "tensor 'z': no such input, expected 'x'");
  EXPECT_EQ(Check(kModel, {X({1, 2}, 2), X({1, 2}, 2)}),
            "tensor 'x': expected once, got it twice");
}

TEST(CheckRequestTest, InputsMayComeInAnyOrder) {
  const Signature two{{Spec("a", "FP32", {-1}), Spec("b", "INT8", {-1})}, {}, 0};
  const Tensor a{"a", "FP32", {2}, Raw<float>({1, 2})};
  const Tensor b{"b", "INT8", {2}, Raw<int8_t>({1, 2})};
  EXPECT_EQ(Check(two, {b, a}), "");
  EXPECT_EQ(Check(two, {b}), "tensor 'a': input is missing");
  EXPECT_EQ(Check(two, {a, {"b", "INT8", {1}, Raw<int8_t>({1})}}),
            "tensor 'b': expected 2 rows as in 'a', got 1");
}

TEST(CheckRequestTest, ManyInputsAreEachMetOnce) {
  Signature many;
  std::vector<Tensor> inputs;
  for (int i = 0; i < 130; ++i) {
    const std::string name = "t" + std::to_string(i);
    many.inputs.push_back(Spec(name, "INT8", {-1}));
    inputs.push_back({name, "INT8", {1}, "\1"});
  }
  EXPECT_EQ(Check(many, inputs), "");
  inputs.back() = inputs[100];
  EXPECT_EQ(Check(many, inputs), "tensor 't100': expected once, got it twice");
  inputs.pop_back();
  EXPECT_EQ(Check(many, inputs), "tensor 't129': input is missing");
}

TEST(CheckRequestTest, AnEmptyBatchIsRefused) {
  EXPECT_EQ(Check(kModel, {X({0, 2}, 0)}), "tensor 'x': empty batch, shape [0,2] has no elements");
  const Signature loose{{Spec("x", "FP32", {-1, -1})}, {}, 0};
  EXPECT_EQ(Check(loose, {X({int64_t{1} << 40, 0}, 0)}),
            "tensor 'x': empty batch, shape [1099511627776,0] has no elements");
}

TEST(CheckRequestTest, NoMoreRowsThanTheModelTakes) {
  EXPECT_EQ(Check(kModel, {X({4, 2}, 8)}), "");
  EXPECT_EQ(Check(kModel, {X({5, 2}, 10)}), "expected at most 4 rows, got 5");
}

TEST(CheckRequestTest, AModelWithoutRowsCountsOne) {
  const Signature fixed{{Spec("x", "FP32", {2})}, {Spec("y", "FP32", {-1})}, 0};
  EXPECT_FALSE(fixed.Stackable());
  int64_t rows = 0;
  EXPECT_EQ(Check(fixed, make::Request("m", "", {X({2}, 2)}), &rows), "");
  EXPECT_EQ(rows, 1);
}

TEST(CheckRequestTest, BytesElementsAreWalked) {
  const auto text = [](std::vector<int64_t> shape, std::string raw) {
    return std::vector<Tensor>{{"s", "BYTES", std::move(shape), std::move(raw)}};
  };
  EXPECT_EQ(Check(kText, text({3}, RawBytes({"a", "", "bcd"}))), "");
  EXPECT_EQ(Check(kText, text({2}, RawBytes({"a"}))),
            "tensor 's': shape [2] takes 2 BYTES elements, got 1");
  EXPECT_EQ(Check(kText, text({1}, RawBytes({"a", ""}))),
            "tensor 's': shape [1] takes 1 BYTES elements, got 4 bytes more");
  EXPECT_EQ(Check(kText, text({1}, RawBytes({"abc"}).substr(0, 6))),
            "tensor 's': element 0 of BYTES takes 7 bytes, got 6");
  EXPECT_EQ(Check(kText, text({1}, "\1")), "tensor 's': element 0 of BYTES takes 4 bytes, got 1");
}

TEST(CheckRequestTest, ContentsAreOwed) {
  const std::string message = Text(1, "m") + TensorField(X({1, 2}, 0));
  EXPECT_EQ(Check(kModel, message), "tensor 'x': shape [1,2] has elements, got no contents");
}

TEST(CheckRequestTest, RequestedOutputsAreKnownAndAskedForOnce) {
  const auto ask = [](const std::string& outputs) {
    return make::Request("m", "", {X({1, 2}, 2)}, outputs);
  };
  const std::string y = Text(6, Text(1, "y"));
  EXPECT_EQ(Check(kModel, ask(y)), "");
  EXPECT_EQ(Check(kModel, ask(y + y)), "requested output 'y': expected once, got it twice");
  EXPECT_EQ(Check(kModel, ask(Text(6, Text(1, "z")))),
            "requested output 'z': no such output, expected 'y'");
}

// What CheckResponse says of outputs for `rows` rows.
std::string CheckAnswer(const std::vector<Tensor>& outputs, int64_t rows,
                        const std::vector<RequestedOutputView>& requested = {}) {
  const std::string message = make::Response("m", "1", outputs);
  ResponseView view;
  Status status = ParseResponse(message, &view);
  EXPECT_TRUE(status.ok()) << status.message();
  const Signature model{{Spec("x", "FP32", {-1})},
                        {Spec("y", "FP32", {-1, 1}), Spec("z", "INT8", {-1})},
                        0};
  status = CheckResponse(model, view, requested, rows);
  if (!status.ok()) {
    EXPECT_EQ(status.kind(), ErrorKind::kInternal);
  }
  return status.message();
}

TEST(CheckResponseTest, HoldsTheModelToItsContract) {
  const Tensor y{"y", "FP32", {2, 1}, std::string(8, '\0')};
  const Tensor z{"z", "INT8", {2}, "ab"};
  const std::string broke = "the model broke its contract: output ";
  EXPECT_EQ(CheckAnswer({y, z}, 2), "");
  EXPECT_EQ(CheckAnswer({z, y}, 2), "");
  EXPECT_EQ(CheckAnswer({y, z}, 3), broke + "'y': expected shape [3,1], got [2,1]");
  EXPECT_EQ(CheckAnswer({y}, 2), broke + "'z': is missing");
  EXPECT_EQ(CheckAnswer({y, y}, 2), broke + "'y': expected once, got it twice");
  EXPECT_EQ(CheckAnswer({y, {"w", "INT8", {2}, "ab"}}, 2),
            broke + "'w': no such output, expected 'y', 'z'");
  EXPECT_EQ(CheckAnswer({y, {"z", "UINT8", {2}, "ab"}}, 2),
            broke + "'z': expected datatype INT8, got UINT8");
  EXPECT_EQ(CheckAnswer({y, {"z", "INT8", {2}, "a"}}, 2),
            broke + "'z': shape [2] of INT8 takes 2 bytes, got 1");
}

TEST(CheckResponseTest, OnlyRequestedOutputsAreOwed) {
  const Tensor y{"y", "FP32", {2, 1}, std::string(8, '\0')};
  const Tensor z{"z", "INT8", {2}, "ab"};
  EXPECT_EQ(CheckAnswer({y}, 2, {{"y", {}}}), "");
  EXPECT_EQ(CheckAnswer({y, z}, 2, {{"y", {}}}), "");
  EXPECT_EQ(CheckAnswer({z}, 2, {{"y", {}}}),
            "the model broke its contract: output 'y': is missing");
}

}  // namespace
}  // namespace skysail::oip
