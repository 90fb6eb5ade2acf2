"""Every client gets the model's own answer, and the same bytes from separate processes as from one."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from sklearn.linear_model import LogisticRegression

import skysail
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc
from tests.e2e.conftest import Mesh
from tests.plugins.grpcpp import GrpcppCall

Digits = tuple[Path, LogisticRegression, np.ndarray]


def request(x: np.ndarray, name: str = "digits") -> pb.ModelInferRequest:
    message = pb.ModelInferRequest(model_name=name, id="mine")
    datatype = {"float64": "FP64", "float32": "FP32"}[x.dtype.name]
    message.inputs.add(name="x", datatype=datatype, shape=x.shape)
    message.raw_input_contents.append(x.tobytes())
    return message


def grpcio(mesh: Mesh, message: pb.ModelInferRequest) -> pb.ModelInferResponse:
    with grpc.insecure_channel(mesh.grpc) as channel:
        return inference_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=10)


def comparable(response: pb.ModelInferResponse) -> bytes:
    """Without the id that is minted for each prediction, and without what the cache did."""
    for name in ("skysail.prediction", "skysail.cache"):
        response.parameters.pop(name, None)
    return response.SerializeToString(deterministic=True)


def test_sdk_answers_what_the_model_itself_says(either: Mesh, digits: Digits) -> None:
    _, model, images = digits
    with skysail.Client(either.grpc) as client:
        prediction = client.predict("digits", images)
        assert list(prediction.outputs) == ["label", "probability"]
        np.testing.assert_array_equal(prediction.outputs["label"], model.predict(images))
        np.testing.assert_allclose(
            prediction.outputs["probability"], model.predict_proba(images), rtol=0, atol=1e-12
        )
        assert (prediction.model, prediction.version, prediction.default) == ("digits", "1", False)
        assert len(prediction.id) == 32


def test_single_rows_equal_the_model_to_the_bit(either: Mesh, digits: Digits) -> None:
    _, model, images = digits
    with skysail.Client(either.grpc) as client:
        for image in images[:20]:
            row = image[np.newaxis]
            outputs = client.predict("digits", row).outputs
            np.testing.assert_array_equal(outputs["probability"], model.predict_proba(row))


def test_tritonclient_is_a_client_as_it_is(either: Mesh, digits: Digits) -> None:
    _, model, images = digits
    client = triton.InferenceServerClient(either.grpc)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits")
    metadata = client.get_model_metadata("digits")
    assert [(t.name, t.datatype, list(t.shape)) for t in metadata.inputs] == [("x", "FP64", [-1, 64])]
    given = triton.InferInput("x", [5, 64], "FP64")
    given.set_data_from_numpy(images[:5])
    wanted = [triton.InferRequestedOutput("label")]
    result = client.infer("digits", [given], outputs=wanted, request_id="mine")
    np.testing.assert_array_equal(result.as_numpy("label"), model.predict(images[:5]))
    assert result.as_numpy("probability") is None
    assert result.get_response().id == "mine"
    client.close()


def test_tritonclient_and_grpcio_get_the_same_bytes(either: Mesh, digits: Digits) -> None:
    _, _, images = digits
    ours = grpcio(either, request(images[:3]))
    client = triton.InferenceServerClient(either.grpc)
    given = triton.InferInput("x", [3, 64], "FP64")
    given.set_data_from_numpy(images[:3])
    theirs = client.infer("digits", [given], request_id="mine").get_response()
    client.close()
    assert comparable(ours) == comparable(pb.ModelInferResponse.FromString(theirs.SerializeToString()))


def test_grpcpp_and_grpcio_get_the_same_bytes(either: Mesh, digits: Digits, grpcpp: GrpcppCall) -> None:
    message = request(digits[2][:3])
    theirs = grpcpp(
        either.grpc,
        "/inference.GRPCInferenceService/ModelInfer",
        message.SerializeToString(),
        timeout_ms=20000,
    )
    assert (theirs.code, len(theirs.messages)) == (0, 1), theirs.text
    assert comparable(pb.ModelInferResponse.FromString(theirs.messages[0])) == comparable(
        grpcio(either, message)
    )


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_mesh_and_fused_answer_the_same_bytes(mesh: Mesh, fused: Mesh, digits: Digits, rows: int) -> None:
    message = request(digits[2][:rows])
    assert comparable(grpcio(mesh, message)) == comparable(grpcio(fused, message))


def test_typed_contents_are_answered_like_raw_ones(either: Mesh) -> None:
    x = np.arange(32, dtype=np.float32).reshape(2, 16)
    raw = request(x, "probe")
    typed = request(x, "probe")
    typed.inputs[0].contents.fp32_contents.extend(x.ravel().tolist())
    del typed.raw_input_contents[:]
    assert comparable(grpcio(either, raw)) == comparable(grpcio(either, typed))


def test_plain_json_over_http(either: Mesh, digits: Digits) -> None:
    _, model, images = digits
    body = {
        "id": "mine",
        "inputs": [{"name": "x", "datatype": "FP64", "shape": [2, 64], "data": images[:2].tolist()}],
    }
    answer = post(either, "digits", body)
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert answer["id"] == "mine"
    assert outputs["label"]["data"] == model.predict(images[:2]).tolist()
    assert outputs["label"]["datatype"] == "INT64"
    np.testing.assert_array_equal(
        np.array(outputs["probability"]["data"]).reshape(2, 10), model.predict_proba(images[:2])
    )


def post(mesh: Mesh, name: str, body: Any) -> Any:
    asked = urllib.request.Request(
        f"http://{mesh.http}/v2/models/{name}/infer",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.loads(answer.read())


def test_equal_calls_meet_the_cache_whatever_their_id(either: Mesh, digits: Digits) -> None:
    message = request(digits[2][10:14])
    first = grpcio(either, message)
    message.id = "another"
    second = grpcio(either, message)
    assert second.parameters["skysail.cache"].string_param == "hit"
    assert second.id == "another"
    assert first.raw_output_contents == second.raw_output_contents
    assert first.parameters["skysail.prediction"] != second.parameters["skysail.prediction"]


def test_model_without_a_cache_is_asked_each_time(either: Mesh) -> None:
    message = request(np.full((1, 16), 0.5, np.float32), "probe")
    before = either.rows_seen()
    for _ in range(3):
        grpcio(either, message)
    assert either.rows_seen() == before + 3


@pytest.mark.parametrize("seed", range(3))
def test_batches_never_mix_reorder_or_lose_rows_whoever_leaves(either: Mesh, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with grpc.insecure_channel(either.grpc) as channel:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        # Whole numbers add up exactly in any order, and no two rows have the same sum.
        sums = iter(rng.permutation(4000) + 1)
        given, calls = [], []
        for rows in rng.integers(1, 12, 250):
            x = np.zeros((int(rows), 16), np.float32)
            x[:, 3] = [next(sums) for _ in range(rows)]
            given.append(x)
            calls.append(stub.ModelInfer.future(request(x, "probe"), timeout=20))
            if rng.random() < 0.2:
                calls[rng.integers(len(calls))].cancel()
            if rng.random() < 0.1:
                time.sleep(rng.random() * 0.005)
        left = 0
        for x, call in zip(given, calls, strict=True):
            if call.cancelled():
                left += 1
                continue
            y = np.frombuffer(call.result().raw_output_contents[0], np.float32)
            np.testing.assert_array_equal(y, x.sum(axis=1))
    assert 0 < left < len(calls) / 2
