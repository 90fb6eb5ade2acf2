"""Tensors between JSON and raw form, checked against NumPy."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skysail.control.default_output import encode_default
from skysail.control.errors import InvalidArgument
from skysail.control.json_tensors import flatten, from_raw, to_raw
from skysail.control.signature_text import parse_signature
from skysail.proto import inference_pb2

NUMPY = {
    **{
        f"{sign}INT{bits}": np.dtype(f"{'u' if sign else ''}int{bits}")
        for sign in ("", "U")
        for bits in (8, 16, 32, 64)
    },
    **{
        "FP16": np.dtype("float16"),
        "FP32": np.dtype("float32"),
        "FP64": np.dtype("float64"),
        "BOOL": np.dtype("bool"),
    },
}


@given(st.data())
def test_raw_form_is_numpys_and_survives_json(data: st.DataObject) -> None:
    datatype = data.draw(st.sampled_from(sorted(NUMPY)))
    array = data.draw(hnp.arrays(NUMPY[datatype], hnp.array_shapes(max_dims=3, max_side=5)))
    through_json = json.loads(json.dumps(from_raw(array.tobytes(), datatype), allow_nan=False))
    again = np.frombuffer(to_raw(through_json, datatype), NUMPY[datatype]).reshape(array.shape)
    np.testing.assert_array_equal(again, array)


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=4, max_side=4), elements=st.floats(-9, 9, width=32)))
def test_flatten_finds_shape_and_row_major_order(array: np.ndarray[Any, Any]) -> None:
    shape, elements = flatten(array.tolist())
    assert shape == list(array.shape)
    assert elements == array.ravel().tolist()


@given(st.lists(st.text()))
def test_texts_survive(texts: list[str]) -> None:
    assert from_raw(to_raw(texts, "BYTES"), "BYTES") == texts


@given(st.floats(-(2.0**127), 2.0**127, width=32))
def test_bf16_is_the_nearest_number(number: float) -> None:
    bits = int(np.float32(number).view(np.uint32)) & 0xFFFF0000
    neighbours = np.array([bits, bits + 0x10000], np.uint32).view(np.float32).astype(float)
    [got] = from_raw(to_raw([number], "BF16"), "BF16")
    assert got in neighbours
    assert abs(got - number) == min(abs(neighbours - number))


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64", "BF16"])
def test_what_json_cannot_write_has_names(datatype: str) -> None:
    names = ["NaN", "Infinity", "-Infinity", 1.5]
    assert from_raw(to_raw(names, datatype), datatype) == names


@pytest.mark.parametrize(
    ("elements", "datatype", "message"),
    [
        ([1, 2.5], "INT32", "INT32 takes whole numbers, element 1 is 2.5"),
        ([True], "INT64", "INT64 takes whole numbers, element 0 is True"),
        ([300], "UINT8", "beyond what UINT8 can hold"),
        ([-1], "UINT64", "beyond what UINT64 can hold"),
        ([10**400], "FP64", "beyond what FP64 can hold"),
        ([1e39], "FP32", r"1e\+39 is beyond what FP32"),
        ([70000.0], "FP16", "beyond what FP16"),
        ([3.4e38], "BF16", "beyond what BF16"),
        ([1e39], "BF16", "beyond what BF16"),
        (["x"], "FP32", "FP32 takes numbers .*element 0 is 'x'"),
        ([None], "FP64", "element 0 is None"),
        ([1], "BOOL", "BOOL takes true or false, element 0 is 1"),
        ([1], "BYTES", "BYTES takes texts, element 0 is 1"),
        (["\ud800"], "BYTES", "not valid Unicode"),
        ([1], "FLOAT", "unknown datatype 'FLOAT'"),
        ([{"a": "b" * 100}], "FP32", r"element 0 is .*\.\.\.$"),
    ],
)
def test_an_element_that_does_not_fit_is_named(elements: list[Any], datatype: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        to_raw(elements, datatype)


@pytest.mark.parametrize("value", [[[1], [2, 3]], [[1], 2], [1, [2]], [[[1]], [2]]])
def test_ragged_lists_are_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="ragged"):
        flatten(value)


@pytest.mark.parametrize(
    ("raw", "datatype"),
    [(b"123", "FP32"), (b"1", "FP16"), (b"1", "BF16"), (b"\5\0\0\0abc", "BYTES"), (b"\1", "BYTES")],
)
def test_broken_raw_bytes_are_refused(raw: bytes, datatype: str) -> None:
    with pytest.raises(InvalidArgument, match="not whole elements"):
        from_raw(raw, datatype)


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="element 0 of BYTES is not UTF-8"):
        from_raw(b"\1\0\0\0\xff", "BYTES")


TWO = parse_signature(["x:FP32:[-1]"], ["label:BYTES:[-1]", "scores:FP32:[-1,3]"])
ONE = parse_signature(["x:FP32:[-1]"], ["y:FP64:[-1,2]"])


@pytest.mark.parametrize("value", [[0.5, 1], [[0.5, 1]], {"y": [0.5, 1]}])
def test_a_default_is_one_row_in_any_of_its_forms(value: Any) -> None:
    response = inference_pb2.ModelInferResponse.FromString(encode_default(value, ONE))
    assert [(o.name, o.datatype, list(o.shape)) for o in response.outputs] == [("y", "FP64", [1, 2])]
    assert list(response.raw_output_contents) == [np.array([0.5, 1]).tobytes()]


def test_a_default_of_two_outputs_is_in_the_signatures_order() -> None:
    response = inference_pb2.ModelInferResponse.FromString(
        encode_default({"scores": [0, 0, 1], "label": "cat"}, TWO)
    )
    assert [(o.name, list(o.shape)) for o in response.outputs] == [("label", [1]), ("scores", [1, 3])]
    assert response.raw_output_contents[0] == b"\3\0\0\0cat"


def test_a_default_of_a_model_that_is_not_stacked_has_its_whole_shape() -> None:
    fixed = parse_signature(["x:FP32:[4]"], ["y:INT8:[2]"])
    response = inference_pb2.ModelInferResponse.FromString(encode_default([1, 2], fixed))
    assert list(response.outputs[0].shape) == [2]


@pytest.mark.parametrize(
    ("value", "signature", "message"),
    [
        ([1.0], TWO, "write {name: value} for the outputs label, scores"),
        ({"label": "a"}, TWO, "must have the outputs label, scores, got label"),
        ([1.0], ONE, r"output 'y': expected one row of shape \[2\], got a value of shape \[1\]"),
        ([[1.0, 2.0], [1.0, 2.0]], ONE, r"got a value of shape \[2, 2\]"),
        (["a", "b"], ONE, "FP64 takes numbers"),
        ([1, [2]], ONE, "ragged"),
    ],
)
def test_a_default_that_does_not_fit_says_why(value: Any, signature: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        encode_default(value, signature)
