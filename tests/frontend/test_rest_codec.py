"""The JSON form of requests and answers."""

import json
from typing import Any

import numpy as np
import pytest

from skysail.control.errors import InvalidArgument
from skysail.frontend.rest_codec import decode_request, encode_response
from skysail.proto import inference_pb2 as pb

INPUT = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4.5]}


def decoded(document: object, **names: str) -> pb.ModelInferRequest:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return pb.ModelInferRequest.FromString(decode_request(body, **{"name": "m", "version": "", **names}))


@pytest.mark.parametrize("data", [[1, 2, 3, 4.5], [[1, 2], [3, 4.5]]])
def test_data_may_be_flat_or_nested(data: Any) -> None:
    request = decoded({"inputs": [{**INPUT, "data": data}]}, version="7")
    assert (request.model_name, request.model_version) == ("m", "7")
    assert (request.inputs[0].name, request.inputs[0].datatype, list(request.inputs[0].shape)) == (
        "x",
        "FP32",
        [2, 2],
    )
    assert list(request.raw_input_contents) == [np.array([1, 2, 3, 4.5], np.float32).tobytes()]


def test_id_parameters_and_requested_outputs_are_sent_on() -> None:
    request = decoded(
        {
            "id": "ü",
            "parameters": {"b": True, "i": -3, "u": 2**64 - 1, "d": 1.5, "s": "t"},
            "inputs": [{**INPUT, "parameters": {"p": 1}}],
            "outputs": [{"name": "y", "parameters": {"q": "r"}}],
        }
    )
    assert request.id == "ü"
    assert {name: one.WhichOneof("parameter_choice") for name, one in request.parameters.items()} == {
        "b": "bool_param",
        "i": "int64_param",
        "u": "uint64_param",
        "d": "double_param",
        "s": "string_param",
    }
    assert request.inputs[0].parameters["p"].int64_param == 1
    assert (request.outputs[0].name, request.outputs[0].parameters["q"].string_param) == ("y", "r")


def test_texts_are_bytes() -> None:
    request = decoded({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["é"]}]})
    assert list(request.raw_input_contents) == [b"\2\0\0\0\xc3\xa9"]


def test_an_empty_batch_is_the_services_to_refuse() -> None:
    assert list(decoded({"inputs": [{**INPUT, "shape": [0, 2], "data": []}]}).raw_input_contents) == [b""]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff\xff", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (
            b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [NaN]}]}',
            "NaN is not JSON; write",
        ),
        ([], "the body: expected an object, got a list"),
        ({}, "inputs: missing; expected a list of {name, shape, datatype, data}"),
        ({"inputs": {}}, "inputs: expected a list, got an object"),
        ({"inputs": [3]}, r"inputs\[0\]: expected an object, got a number"),
        ({"inputs": [{}]}, r"inputs\[0\].name: missing"),
        ({"inputs": [INPUT, {**INPUT, "name": 1}]}, r"inputs\[1\].name: expected a text, got a number"),
        ({"inputs": [{**INPUT, "shape": [-1]}]}, r"inputs\[0\].shape: expected whole numbers from 0, got -1"),
        (
            {"inputs": [{**INPUT, "shape": [True]}]},
            r"inputs\[0\].shape: expected whole numbers from 0, got True",
        ),
        ({"inputs": [{**INPUT, "shape": [2**63]}]}, r"inputs\[0\].shape: expected whole numbers"),
        ({"inputs": [{**INPUT, "data": 1}]}, r"inputs\[0\].data: expected a list, got a number"),
        ({"inputs": [{**INPUT, "data": [1]}]}, r"tensor 'x'\): the shape \[2, 2\] has 4 elements, got 1"),
        ({"inputs": [{**INPUT, "data": [[1, 2, 3, 4]]}]}, r"nested as \[1, 4\], but the shape is \[2, 2\]"),
        ({"inputs": [{**INPUT, "data": [[1, 2], [3]]}]}, "ragged"),
        ({"inputs": [{**INPUT, "data": [1, 2, 3, "a"]}]}, "FP32 takes numbers .*element 3 is 'a'"),
        ({"inputs": [{**INPUT, "data": [1, 2, 3, None]}]}, "element 3 is None"),
        ({"inputs": [{**INPUT, "datatype": "float"}]}, "unknown datatype 'float'"),
        (
            {"inputs": [], "parameters": {"p": None}},
            "parameters.p: expected true, false, a text or .*got null",
        ),
        ({"inputs": [], "parameters": {"p": 2**64}}, "parameters.p: .*64 bits"),
        ({"inputs": [], "outputs": [{}]}, r"outputs\[0\].name: missing"),
        ({"inputs": [], "id": 5}, "id: expected a text, got a number"),
        (b'{"inputs": [], "id": "\\ud800"}', "id: not valid Unicode"),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(body: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        decoded(body)


def response(datatype: str, raw: bytes, shape: list[int]) -> pb.ModelInferResponse:
    answer = pb.ModelInferResponse(model_name="m", model_version="3", id="call")
    answer.outputs.add(name="y", datatype=datatype, shape=shape)
    answer.raw_output_contents.append(raw)
    return answer


def test_an_answer_is_flat_and_keeps_parameters() -> None:
    answer = response("FP64", np.array([0.1, np.inf, np.nan, -np.inf]).tobytes(), [2, 2])
    answer.parameters["skysail.cache"].string_param = "hit"
    answer.outputs[0].parameters["n"].int64_param = 5
    assert json.loads(encode_response(answer.SerializeToString())) == {
        "model_name": "m",
        "model_version": "3",
        "id": "call",
        "parameters": {"skysail.cache": "hit"},
        "outputs": [
            {
                "name": "y",
                "shape": [2, 2],
                "datatype": "FP64",
                "parameters": {"n": 5},
                "data": [0.1, "Infinity", "NaN", "-Infinity"],
            }
        ],
    }


def test_an_answer_that_is_not_text_says_what_to_do() -> None:
    with pytest.raises(InvalidArgument, match="output 'y': element 0 of BYTES is not UTF-8.*gRPC"):
        encode_response(response("BYTES", b"\1\0\0\0\xff", [1]).SerializeToString())
