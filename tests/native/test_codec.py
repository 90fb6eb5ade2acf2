"""The codec against protobuf's own reading and writing of the same messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from skysail.native import codec
from skysail.proto import inference_pb2

FIXED = [name for name in codec.DATATYPES if name not in ("BF16", "BYTES")]
# The list of typed contents that each datatype uses; FP16 and BF16 have none.
TYPED = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}
SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
NAMES = st.text(st.characters(codec="utf-8"), max_size=12)
PARAMETERS = st.dictionaries(
    NAMES,
    st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | NAMES,
    max_size=4,
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every datatype, byte order and layout; text as bytes objects."""
    datatype = draw(st.sampled_from([*FIXED, "BYTES"]))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        array = np.empty(shape, dtype=object)
        array.flat = draw(st.lists(st.binary(max_size=5), min_size=array.size, max_size=array.size))
        return array
    dtype = codec.DATATYPES[datatype].newbyteorder(draw(st.sampled_from("<>")))
    array = draw(npst.arrays(dtype, shape))
    layout = draw(st.sampled_from(["C", "F", "reversed"]))
    return (
        array[::-1]
        if layout == "reversed" and array.ndim
        else np.asarray(array, order="C" if layout == "C" else "F")
    )


TENSORS = st.dictionaries(NAMES, arrays(), max_size=3)


def raw_of(array: np.ndarray[Any, Any]) -> bytes:
    """The elements as the protocol wants them, written out here by other means."""
    if array.dtype == object:
        return b"".join(len(item).to_bytes(4, "little") + item for item in array.ravel().tolist())
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def value_of(parameter: inference_pb2.InferParameter) -> bool | int | float | str:
    kind = parameter.WhichOneof("parameter_choice")
    assert kind is not None
    value: bool | int | float | str = getattr(parameter, kind)
    return value


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype.newbyteorder("=") and raw_of(a) == raw_of(b)


@given(NAMES, NAMES, NAMES, TENSORS, st.lists(NAMES, max_size=3), PARAMETERS)
def test_protobuf_reads_the_requests_that_are_encoded(
    name: str, version: str, mark: str, inputs: dict[str, Any], outputs: list[str], parameters: dict[str, Any]
) -> None:
    encoded = codec.encode_request(
        name, inputs, model_version=version, id=mark, outputs=outputs, parameters=parameters
    )
    message = inference_pb2.ModelInferRequest.FromString(encoded)
    assert (message.model_name, message.model_version, message.id) == (name, version, mark)
    assert [output.name for output in message.outputs] == outputs
    assert {key: value_of(value) for key, value in message.parameters.items()} == parameters
    assert [tensor.name for tensor in message.inputs] == list(inputs)
    for tensor, raw, array in zip(message.inputs, message.raw_input_contents, inputs.values(), strict=True):
        assert tensor.datatype == codec.datatype_of(array.dtype)
        assert tuple(tensor.shape) == array.shape
        assert raw == raw_of(array)


@given(NAMES, NAMES, NAMES, TENSORS, PARAMETERS)
def test_what_is_encoded_is_decoded(
    name: str, version: str, mark: str, tensors: dict[str, Any], parameters: dict[str, Any]
) -> None:
    response = codec.decode_response(
        codec.encode_response(tensors, model_name=name, model_version=version, id=mark, parameters=parameters)
    )
    assert (response.model_name, response.model_version, response.id) == (name, version, mark)
    assert response.parameters == parameters
    assert list(response.outputs) == list(tensors)
    assert all(same(response.outputs[key], array) for key, array in tensors.items())


@given(TENSORS, PARAMETERS, st.lists(NAMES, max_size=2))
def test_requests_that_protobuf_writes_are_decoded(
    inputs: dict[str, Any], parameters: dict[str, Any], outputs: list[str]
) -> None:
    message = inference_pb2.ModelInferRequest(model_name="m", model_version="2", id="i")
    for name, array in inputs.items():
        message.inputs.add(name=name, datatype=codec.datatype_of(array.dtype), shape=array.shape)
        message.raw_input_contents.append(raw_of(array))
    for name in outputs:
        message.outputs.add(name=name)
    for name, value in parameters.items():
        field = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}[
            type(value)
        ]
        if isinstance(value, int) and value >= 2**63:
            field = "uint64_param"
        setattr(message.parameters[name], field, value)
    request = codec.decode_request(message.SerializeToString())
    assert (request.model_name, request.model_version, request.id) == ("m", "2", "i")
    assert request.outputs == outputs
    assert request.parameters == parameters
    assert request.inputs.keys() == inputs.keys()
    assert all(same(request.inputs[name], array) for name, array in inputs.items())


@pytest.mark.parametrize("datatype", TYPED)
def test_typed_contents_that_protobuf_writes_are_decoded(datatype: str) -> None:
    dtype = codec.DATATYPES[datatype]
    limits = [0, 1] if dtype.kind in "bf" else [int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)]
    array = np.array([limits, limits], dtype=dtype)
    message = inference_pb2.ModelInferResponse()
    tensor = message.outputs.add(name="y", datatype=datatype, shape=array.shape)
    getattr(tensor.contents, TYPED[datatype]).extend(array.ravel().tolist())
    decoded = codec.decode_response(message.SerializeToString()).outputs["y"]
    assert same(decoded, array)


def test_typed_bytes_are_decoded() -> None:
    message = inference_pb2.ModelInferRequest()
    message.inputs.add(name="s", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"a", b""])
    assert codec.decode_request(message.SerializeToString()).inputs["s"].tolist() == [b"a", b""]


def test_aligned_elements_are_viewed_and_keep_the_message_alive() -> None:
    for padding in range(8):
        message = bytearray(codec.encode_request("m" * padding, {"x": np.arange(4.0)}))
        array = codec.decode_request(message).inputs["x"]
        assert array.flags.aligned
        assert not array.flags.writeable
        viewed = np.shares_memory(array, np.frombuffer(message, dtype=np.uint8))
        address = np.frombuffer(message, dtype=np.uint8).ctypes.data + len(message) - array.nbytes
        assert viewed == (address % 8 == 0)
        if viewed:
            with pytest.raises(BufferError):
                message.extend(b"more")
        del message
        assert array.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "text", [np.array(["é", "b"]), np.array(["é", "b"], dtype=object), np.array(["é".encode(), b"b"])]
)
def test_text_of_every_kind_becomes_bytes(text: np.ndarray[Any, Any]) -> None:
    decoded = codec.decode_response(codec.encode_response({"s": text})).outputs["s"]
    assert decoded.dtype == object
    assert decoded.tolist() == ["é".encode(), b"b"]


def test_bfloat16_is_widened_and_narrowed_when_asked() -> None:
    exact = np.array([0.0, -1.5, np.inf, 3.0e38, 1e-40], dtype=np.float32)
    exact = (exact.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    encoded = codec.encode_response({"y": exact}, datatypes={"y": "BF16"})
    message = inference_pb2.ModelInferResponse.FromString(encoded)
    assert message.outputs[0].datatype == "BF16"
    assert len(message.raw_output_contents[0]) == 2 * exact.size
    assert same(codec.decode_response(encoded).outputs["y"], exact)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0x3F808000, 0x3F80),
        (0x3F818000, 0x3F82),
        (0x3F808001, 0x3F81),
        (0x7F7FFFFF, 0x7F80),
        (0xFFFFFFFF, None),
    ],
)
def test_bfloat16_is_rounded_to_nearest_even(bits: int, expected: int | None) -> None:
    value = np.array(bits, dtype=np.uint32).view(np.float32)
    decoded = codec.decode_request(codec.encode_request("m", {"x": value}, datatypes={"x": "BF16"})).inputs[
        "x"
    ]
    assert decoded.shape == ()
    if expected is None:
        assert np.isnan(decoded)
    else:
        assert decoded.view(np.uint32) == expected << 16


def test_datatypes_stated_are_held_to() -> None:
    with pytest.raises(codec.CodecError, match="tensor 'y': expected datatype FP32, got FP64"):
        codec.encode_response({"y": np.zeros(1)}, datatypes={"y": "FP32"})


def test_table_and_inverse_agree() -> None:
    for name in FIXED:
        assert codec.datatype_of(codec.DATATYPES[name]) == name
    assert {codec.datatype_of(kind) for kind in ("O", "S3", "U3")} == {"BYTES"}
    for dtype in ("c8", "M8[s]", "V3"):
        with pytest.raises(codec.CodecError, match="no such datatype"):
            codec.datatype_of(dtype)


def request_of(**tensor: Any) -> bytes:
    raw = tensor.pop("raw", None)
    message = inference_pb2.ModelInferRequest(raw_input_contents=[] if raw is None else [raw])
    message.inputs.add(**{"name": "x", "datatype": "FP32", "shape": [2]} | tensor)
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (request_of(raw=b"123"), r"tensor 'x': shape \[2\] of FP32 takes 8 bytes, got 3"),
        (request_of(), r"tensor 'x': shape \[2\] has elements, got no contents"),
        (
            request_of(datatype="FP8", raw=b""),
            "tensor 'x': unknown datatype 'FP8', expected one of BOOL, UINT8",
        ),
        (request_of(shape=[-1], raw=b""), r"tensor 'x': shape \[-1\]"),
        (request_of(shape=[2**62, 2**62], raw=b""), "has too many elements"),
        (request_of(shape=[2**62, 2**62, 0], raw=b""), "tensor 'x': array is too big"),
        (request_of(datatype="BYTES", raw=b"\1\0\0\0a"), r"takes 2 BYTES elements, got 1"),
        (request_of(raw=b"12345678") * 2, "tensor 'x': expected once, got it twice"),
        (
            request_of(datatype="INT64", contents={"int_contents": [1, 2]}),
            "expected int64_contents, got int_contents",
        ),
        (b"\x0a\x05m", "malformed request: truncated or malformed field at byte 0"),
        (b"\x0a\x01\xff", "model_name: is not valid UTF-8"),
    ],
)
def test_bad_messages_are_refused_with_a_reason(message: bytes, error: str) -> None:
    with pytest.raises(codec.CodecError, match=error):
        codec.decode_request(message)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        (
            {"x": np.zeros(1, dtype=np.complex64)},
            "tensor 'x': dtype complex64: the protocol has no such datatype",
        ),
        ({"x": np.array([1, None], dtype=object)}, "tensor 'x': element 0: expected bytes or str, got int"),
        ({"x": np.array(["\ud800"], dtype=object)}, "has no UTF-8 form"),
        ({"x": np.zeros((1,) * 17)}, "tensor 'x': expected at most 16 dimensions, got 17"),
    ],
)
def test_arrays_that_cannot_be_sent_are_refused(inputs: dict[str, Any], error: str) -> None:
    with pytest.raises(codec.CodecError, match=error):
        codec.encode_request("m", inputs)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, None, [1]])
def test_parameters_that_cannot_be_sent_are_refused(value: Any) -> None:
    with pytest.raises(codec.CodecError, match="parameter 'p': expected"):
        codec.encode_response({}, parameters={"p": value})


@given(
    st.binary(max_size=64) | st.just(request_of(raw=b"12345678")), st.integers(0, 200), st.integers(0, 255)
)
def test_no_message_does_worse_than_raise(message: bytes, place: int, byte: int) -> None:
    changed = bytearray(message)
    if changed:
        changed[place % len(changed)] = byte
    try:
        request = codec.decode_request(bytes(changed))
    except codec.CodecError:
        return
    assert all(array.size >= 0 for array in request.inputs.values())


# Pieces cut out of a message, anywhere, and others put there.
EDITS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 12), st.binary(max_size=12)), max_size=4)


@given(TENSORS, PARAMETERS, EDITS)
def test_what_is_taken_of_a_damaged_message_is_what_protobuf_takes(
    inputs: dict[str, Any], parameters: dict[str, Any], edits: list[tuple[int, int, bytes]]
) -> None:
    damaged = bytearray(codec.encode_request("m", inputs, parameters=parameters))
    for place, cut, put in edits:
        at = place % (len(damaged) + 1)
        damaged[at : at + cut] = put
    try:
        request = codec.decode_request(bytes(damaged))
    except codec.CodecError:
        return
    message = inference_pb2.ModelInferRequest.FromString(bytes(damaged))
    assert (request.model_name, request.model_version) == (message.model_name, message.model_version)
    assert list(request.inputs) == [tensor.name for tensor in message.inputs]
    for tensor in message.inputs:
        assert request.inputs[tensor.name].shape == tuple(tensor.shape)
    for array, raw in zip(request.inputs.values(), message.raw_input_contents, strict=False):
        if array.dtype != np.float32:  # BF16 is widened
            assert raw_of(array) == raw


def test_arrays_like_lists_and_scalars_are_taken() -> None:
    inputs = codec.decode_request(codec.encode_request("m", {"a": [[1, 2]], "b": 1.5, "c": "text"})).inputs
    assert inputs["a"].tolist() == [[1, 2]]
    assert inputs["b"].shape == ()
    assert inputs["c"].item() == b"text"
