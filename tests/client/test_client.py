"""The client against a replica: what it sends, what it makes of answers and errors."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from numpy.typing import ArrayLike

from skysail.client import (
    CallFailed,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    ModelFailed,
    ServerUnavailable,
    SkysailError,
)
from skysail.client.errors import error_from_code
from skysail.control.errors import GRPC_CODES
from skysail.model_servers.container import Container
from tests.model_servers.conftest import CODE, container, serving

__all__ = ["container"]


def test_lists_become_arrays_of_the_stated_datatype(container: Container) -> None:
    with Client(container.address) as client:
        assert client.predict("told", {"x": [[1, 2]]}).value.tolist() == [3]
        assert client.predict("told", [[1, 2], [3, 4]]).value.tolist() == [3, 7]


@pytest.mark.parametrize(
    "inputs", [[[1.5, 2.0]], {"x": [[1.5, 2.0]]}, np.array([[1.5, 2.0]], np.float32)], ids=str
)
async def test_a_model_of_bf16_can_be_asked(tmp_path: Path, inputs: ArrayLike) -> None:
    code = CODE.replace("x:FP32", "x:BF16")
    async with serving(tmp_path, code) as running:
        with Client(running.address) as client:
            answer = await asyncio.to_thread(client.predict, "told", inputs)
    assert answer.value.tolist() == [3.5]


def test_value_is_the_first_output(container: Container) -> None:
    with Client(container.address) as client:
        answer = client.predict("told", np.ones((3, 2), np.float32))
    assert answer.value is answer.outputs["y"]
    assert answer.latency_s > 0


@pytest.mark.parametrize("inputs", [[["a", "b"]], [[1, 2], [3]], {"x": [[{}, 1]]}])
def test_lists_that_do_not_become_arrays_are_named(container: Container, inputs: object) -> None:
    with Client(container.address) as client, pytest.raises(InvalidRequest, match="input 'x'.*FP32 array"):
        client.predict("told", inputs)  # type: ignore[arg-type]


def test_array_that_the_protocol_cannot_carry_is_refused_here(container: Container) -> None:
    with Client(container.address) as client, pytest.raises(InvalidRequest, match="complex128"):
        client.predict("told", {"x": np.ones((1, 2), complex)})


def test_metadata_tells_names_datatypes_and_shapes(container: Container) -> None:
    with Client(container.address) as client:
        found = client.metadata("told")
        assert [(t.name, t.datatype, t.shape) for t in found.outputs] == [
            ("y", "FP32", (-1,)),
            ("n", "INT64", (-1,)),
        ]
        with pytest.raises(CallFailed, match="nobody"):
            client.metadata("nobody")


def test_timeout_is_the_callers(container: Container) -> None:
    slow = np.array([[-4, 1]], np.float32)
    with Client(container.address, timeout_s=0.1) as client:
        with pytest.raises(DeadlineExceeded):
            client.predict("told", slow)
        assert client.predict("told", slow, timeout_s=5).value.tolist() == [-3]


def test_nobody_at_the_address_is_unavailable() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(ServerUnavailable, match="127.0.0.1:1"):
        client.predict("told", {"x": np.ones((1, 2), np.float32)})


def test_threads_share_a_client(container: Container) -> None:
    rows = [np.array([[i, i]], np.float32) for i in range(200)]
    with Client(container.address) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: client.predict("told", {"x": x}).value[0], rows))
    assert answers == [2 * i for i in range(200)]


def test_each_status_code_has_an_error_of_its_kind() -> None:
    for kind, code in GRPC_CODES.items():
        if code:
            error = error_from_code(code, "words")
            assert isinstance(error, CallFailed) and isinstance(error, SkysailError)
            assert (error.kind, str(error)) == (kind, "words")
    assert type(error_from_code(grpc.StatusCode.INTERNAL.value[0], "")) is ModelFailed


def test_client_and_tritonclient_live_in_one_process() -> None:
    for order in ("import skysail.client, tritonclient.grpc", "import tritonclient.grpc, skysail.client"):
        subprocess.run([sys.executable, "-c", order], check=True, timeout=60)
