"""Whatever a caller sends: the fitting code, words that name expected and got, a model that never saw it."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np
import pytest

from skysail.proto import inference_pb2 as pb
from tests.e2e.conftest import Mesh
from tests.e2e.test_clients import request

METHOD = "/inference.GRPCInferenceService/ModelInfer"
GOOD = np.ones((2, 16), np.float32)

Change = Callable[[pb.ModelInferRequest], None]


def call(mesh: Mesh, message: bytes) -> tuple[grpc.StatusCode, str]:
    with grpc.insecure_channel(mesh.grpc, options=[("grpc.max_send_message_length", -1)]) as channel:
        infer = channel.unary_unary(METHOD)
        try:
            infer(message, timeout=20)
        except grpc.RpcError as error:
            return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def good() -> pb.ModelInferRequest:
    return request(GOOD, "probe")


def changed(change: Change) -> bytes:
    message = good()
    change(message)
    return message.SerializeToString()


def name(value: str) -> Change:
    return lambda m: setattr(m, "model_name", value)


def tensor(**fields: object) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        for field, value in fields.items():
            if field == "shape":
                del message.inputs[0].shape[:]
                message.inputs[0].shape.extend(value)  # type: ignore[arg-type]
            else:
                setattr(message.inputs[0], field, value)

    return change


def contents(data: bytes | None, floats: int = 0) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        del message.raw_input_contents[:]
        if data is not None:
            message.raw_input_contents.append(data)
        if floats:
            message.inputs[0].contents.fp32_contents.extend([1.0] * floats)

    return change


def both(message: pb.ModelInferRequest) -> None:
    message.inputs[0].contents.fp32_contents.extend([1.0] * 32)


def neither(message: pb.ModelInferRequest) -> None:
    del message.raw_input_contents[:]


def duplicate(message: pb.ModelInferRequest) -> None:
    message.inputs.add().CopyFrom(message.inputs[0])
    message.raw_input_contents.append(message.raw_input_contents[0])


def missing(message: pb.ModelInferRequest) -> None:
    del message.inputs[:]
    del message.raw_input_contents[:]


def unknown_output(message: pb.ModelInferRequest) -> None:
    message.outputs.add(name="z")


def too_many_raw(message: pb.ModelInferRequest) -> None:
    message.raw_input_contents.append(b"")


def rows(count: int) -> Change:
    def change(message: pb.ModelInferRequest) -> None:
        message.CopyFrom(request(np.ones((count, 16), np.float32), "probe"))

    return change


INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        pytest.param(changed(name("nobody")), grpc.StatusCode.NOT_FOUND, ["nobody"], id="unknown model"),
        pytest.param(changed(name("")), None, [], id="empty model name"),
        pytest.param(changed(tensor(name="q")), INVALID, ["q", "x"], id="wrong tensor name"),
        pytest.param(changed(tensor(datatype="FP64")), INVALID, ["x", "FP32", "FP64"], id="wrong datatype"),
        pytest.param(changed(tensor(datatype="float")), INVALID, ["x", "FP32", "float"], id="no datatype"),
        pytest.param(changed(tensor(shape=[32])), INVALID, ["x", "[32]"], id="wrong rank"),
        pytest.param(changed(tensor(shape=[4, 8])), INVALID, ["x", "16", "[4,8]"], id="wrong shape"),
        pytest.param(changed(tensor(shape=[-2, 16])), INVALID, ["x"], id="negative dimension"),
        pytest.param(changed(tensor(shape=[2**62, 2**62])), INVALID, ["x"], id="overflowing shape"),
        pytest.param(changed(contents(GOOD.tobytes()[:-1])), INVALID, ["x", "128", "127"], id="short bytes"),
        pytest.param(changed(contents(GOOD.tobytes() + b"0")), INVALID, ["x", "128", "129"], id="long bytes"),
        pytest.param(changed(contents(None, 31)), INVALID, ["x", "32", "31"], id="too few typed values"),
        pytest.param(changed(tensor(shape=[0, 16])), INVALID, ["x"], id="no rows but bytes"),
        pytest.param(changed(rows(0)), INVALID, ["x", "empty"], id="empty batch"),
        pytest.param(changed(rows(513)), INVALID, ["512", "513"], id="more rows than the model takes"),
        pytest.param(changed(duplicate), INVALID, ["x"], id="duplicate input"),
        pytest.param(changed(missing), INVALID, ["x"], id="missing input"),
        pytest.param(changed(both), INVALID, ["x"], id="typed and raw contents"),
        pytest.param(changed(neither), INVALID, ["x"], id="neither contents"),
        pytest.param(changed(too_many_raw), INVALID, ["2", "1"], id="more raw contents than inputs"),
        pytest.param(changed(unknown_output), INVALID, ["z"], id="unknown output"),
        pytest.param(good().SerializeToString()[:-3], INVALID, [], id="truncated"),
        pytest.param(good().SerializeToString() + b"\xff", INVALID, [], id="over-long"),
        pytest.param(
            b"\x0a\x02\xff\xfe" + good().SerializeToString(), INVALID, ["UTF-8"], id="invalid UTF-8"
        ),
        pytest.param(b"\xff" * 50, INVALID, [], id="noise"),
    ],
)
def test_bad_input_is_named_and_never_reaches_the_model(
    either: Mesh, message: bytes, code: grpc.StatusCode | None, words: list[str]
) -> None:
    before = either.rows_seen()
    got, details = call(either, message)
    if code is None:
        assert got in (grpc.StatusCode.NOT_FOUND, INVALID), details
    else:
        assert got == code, details
    for word in words:
        assert word in details, details
    assert either.rows_seen() == before
    assert call(either, good().SerializeToString()) == (grpc.StatusCode.OK, "")
    assert either.rows_seen() == before + 2


def test_message_over_the_limit_is_refused(either: Mesh) -> None:
    before = either.rows_seen()
    large = changed(contents(bytes(65 << 20)))
    code, details = call(either, large)
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED, details
    assert "67108864" in details or "64" in details, details
    assert call(either, good().SerializeToString()) == (grpc.StatusCode.OK, "")
    assert either.rows_seen() == before + 2


def test_pinned_version_from_outside_does_not_reach_another(either: Mesh) -> None:
    message = good()
    message.model_version = "99"
    code, _ = call(either, message.SerializeToString())
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, INVALID)
