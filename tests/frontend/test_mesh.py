"""Predictions through the services, as a mesh and fused, over gRPC and JSON, with a model server not ours."""

import asyncio
import json
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import pytest

from skysail.batcher import BatcherService
from skysail.control import changes
from skysail.control.etcd_store import EtcdStore
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.control.schema import Artefact, Version
from skysail.control.signature_text import parse_signature
from skysail.control.store import Store
from skysail.frontend import FrontendService, FusedService
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc
from skysail.selector import SelectorService
from tests.plugins.etcd import EtcdServer
from tests.plugins.oip_server import Doubler

EDGE = ServiceOptions(http="127.0.0.1:0", drain_timeout_s=2)
INNER = ServiceOptions(drain_timeout_s=2)


def doubling(address: str, *, version: str = "1") -> Version:
    return Version(
        model="double",
        version=version,
        artefact=Artefact(uri=f"grpc://{address}", digest="sha256:" + version * 64),
        loader="endpoint",
        endpoints=(address,),
        signature=parse_signature(["x:FP32:[-1,2]"], ["y:FP32:[-1,2]"]),
    )


def asking(*numbers: float, name: str = "double") -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=name, id="mine")
    request.inputs.add(name="x", datatype="FP32", shape=[len(numbers) // 2, 2])
    request.raw_input_contents.append(struct.pack(f"<{len(numbers)}f", *numbers))
    return request


def numbers_of(response: pb.ModelInferResponse) -> list[float]:
    raw = response.raw_output_contents[0]
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


@dataclass
class Path:
    """A running path, and a client of it."""

    frontend: FrontendService
    stub: pb_grpc.GRPCInferenceServiceStub

    async def infer(self, request: pb.ModelInferRequest, *, timeout_s: float = 10) -> pb.ModelInferResponse:
        answer: pb.ModelInferResponse = await self.stub.ModelInfer(request, timeout=timeout_s)
        return answer

    async def until_it_answers(self, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
        """Services learn of each other and of models within moments, not at once."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.infer(request)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                        raise
                    await asyncio.sleep(0.02)

    async def http(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        status, _, answer = await self.http_with_headers(method, path, body)
        return status, answer

    async def http_with_headers(
        self, method: str, path: str, body: object = None, *, send: Sequence[str] = ()
    ) -> tuple[int, dict[str, str], dict[str, object]]:
        assert self.frontend.http_address is not None
        host, _, port = self.frontend.http_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = ("Host: t", "Connection: close", f"Content-Length: {len(content)}", *send, "", "")
        writer.write("\r\n".join((f"{method} {path} HTTP/1.1", *headers)).encode() + content)
        try:
            async with asyncio.timeout(20):
                answer = await reader.read()
        finally:
            writer.close()
        head_lines, _, payload = answer.partition(b"\r\n\r\n")
        status_line, *lines = head_lines.decode().split("\r\n")
        answered = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status_line.split()[1]), answered, json.loads(payload)


async def open_path(kind: str, store: Store | str, stack: AsyncExitStack) -> Path:
    if kind == "mesh":
        await stack.enter_async_context(BatcherService(store, INNER))
        await stack.enter_async_context(SelectorService(store, ServiceOptions(drain_timeout_s=2)))
    service = FusedService if kind == "fused" else FrontendService
    frontend = await stack.enter_async_context(service(store, EDGE))
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(frontend.address))
    return Path(frontend, pb_grpc.GRPCInferenceServiceStub(channel))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(params=["mesh", "fused"])
async def path(request: pytest.FixtureRequest, store: MemoryStore, doubler: Doubler) -> AsyncIterator[Path]:
    await changes.deploy(store, doubling(doubler.address))
    async with AsyncExitStack() as stack:
        opened = await open_path(request.param, store, stack)
        await opened.until_it_answers(asking(0, 0))
        yield opened


async def test_a_prediction_comes_back_through_every_service(path: Path) -> None:
    response = await path.infer(asking(1, 2, 3, 4.5))
    assert numbers_of(response) == [2, 4, 6, 9]
    assert (response.model_name, response.model_version, response.id) == ("double", "1", "mine")


async def test_json_gets_the_same_prediction(path: Path) -> None:
    status, answer = await path.http(
        "POST",
        "/v2/models/double/infer",
        {"id": "mine", "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2.5]]}]},
    )
    assert status == 200, answer
    assert answer["outputs"] == [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": [2.0, 5.0]}]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("double", "1", "mine")


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "message"),
    [
        ("POST", "/v2/models/cats/infer", {"inputs": []}, 404, "cats"),
        ("POST", "/v2/models/double/infer", b"{", 400, "the body is not JSON"),
        ("POST", "/v2/models/double/infer", {"inputs": []}, 400, "x"),
        (
            *("POST", "/v2/models/double/infer"),
            {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]},
            *(400, "[-1,2]"),
        ),
        (
            *("POST", "/v2/models/double/infer"),
            {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "INT32", "data": [1, 2]}]},
            *(400, "FP32"),
        ),
        ("GET", "/v2/models/cats", None, 404, "there is no application or model 'cats'"),
        ("GET", "/v2/models/double/versions/9", None, 404, "no version '9'"),
        ("GET", "/nowhere", None, 404, "Not Found"),
        ("GET", "/v2/models/double/infer", None, 405, "Method Not Allowed"),
    ],
)
async def test_a_wrong_request_over_http_says_why(
    path: Path, method: str, url: str, body: object, status: int, message: str
) -> None:
    got, answer = await path.http(method, url, body)
    assert (got, list(answer)) == (status, ["error"])
    assert message in str(answer["error"])


async def test_http_tells_about_the_server_and_its_models(path: Path) -> None:
    assert await path.http("GET", "/v2/health/live") == (200, {"live": True})
    assert await path.http("GET", "/v2/health/ready") == (200, {"ready": True})
    assert (await path.http("GET", "/v2"))[1]["name"] == "skysail"
    assert await path.http("GET", "/v2/models/double/ready") == (200, {"name": "double", "ready": True})
    assert await path.http("GET", "/v2/models/double/versions/1") == (
        200,
        {
            "name": "double",
            "versions": ["1"],
            "platform": "endpoint",
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
        },
    )


async def test_a_client_that_leaves_takes_its_call_along(path: Path, doubler: Doubler) -> None:
    doubler.gate.clear()
    before = doubler.calls
    inputs = [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]
    call = asyncio.ensure_future(path.http("POST", "/v2/models/double/infer", {"inputs": inputs}))
    async with asyncio.timeout(10):
        while doubler.calls == before:
            await asyncio.sleep(0.01)
        call.cancel()
        while not doubler.abandoned.is_set():
            await asyncio.sleep(0.01)


async def test_answers_are_not_held_back_to_fill_a_packet(path: Path) -> None:
    assert path.frontend.http_address is not None
    host, _, port = path.frontend.http_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    began = time.monotonic()
    for _ in range(25):
        writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n")
        await reader.readuntil(b"true}")
    assert time.monotonic() - began < 25 * 0.02  # a delayed acknowledgement takes 0.04 s
    writer.close()


async def test_a_body_over_the_limit_is_refused(store: MemoryStore) -> None:
    async with FusedService(store, ServiceOptions(http="127.0.0.1:0", max_message_mib=1)) as service:
        path = Path(service, None)  # type: ignore[arg-type]
        status, answer = await path.http("POST", "/v2/models/double/infer", b" " * ((1 << 20) + 1))
    assert (status, answer) == (413, {"error": f"the body is larger than {1 << 20} bytes"})


async def test_a_new_version_takes_over_when_the_route_says_so(
    path: Path, store: MemoryStore, doubler: Doubler
) -> None:
    await changes.deploy(store, doubling(doubler.address, version="2"))
    await changes.set_route(store, "double", {"2": 1})
    async with asyncio.timeout(10):
        while (await path.infer(asking(1, 1))).model_version != "2":
            await asyncio.sleep(0.01)
    assert numbers_of(await path.infer(asking(1, 2))) == [2, 4]


async def test_a_removed_model_is_not_found(path: Path, store: MemoryStore) -> None:
    await changes.remove_model(store, "double")
    async with asyncio.timeout(10):
        while True:
            try:
                await path.infer(asking(1, 1))
            except grpc.aio.AioRpcError as error:
                assert error.code() == grpc.StatusCode.NOT_FOUND
                break
            await asyncio.sleep(0.01)


async def test_a_model_that_does_not_answer_in_time_gives_the_default(
    path: Path, store: MemoryStore, doubler: Doubler
) -> None:
    await changes.deploy(store, doubling(doubler.address), objective_ms=100.0, default=[7, 8])
    doubler.gate.clear()
    async with asyncio.timeout(10):
        while True:
            try:
                response = await path.infer(asking(5, 6, 5, 6))
            except grpc.aio.AioRpcError as error:
                assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
            else:
                break
    assert numbers_of(response) == [7, 8, 7, 8]
    assert response.parameters["skysail.default"].bool_param
    assert response.parameters["skysail.reason"].string_param


@pytest.mark.parametrize("kind", ["mesh", "fused"])
async def test_predictions_go_on_while_etcd_is_away_and_changes_are_seen_after(
    kind: str, etcd_server: EtcdServer, doubler: Doubler
) -> None:
    admin = EtcdStore(etcd_server.address, timeout_s=2)
    await changes.deploy(admin, doubling(doubler.address))
    async with AsyncExitStack() as stack:
        path = await open_path(kind, etcd_server.address, stack)
        await path.until_it_answers(asking(0, 0))
        etcd_server.stop()
        for number in range(200):
            assert numbers_of(await path.infer(asking(number, 1))) == [2 * number, 2]
        etcd_server.start()
        await changes.deploy(admin, doubling(doubler.address, version="2"))
        await changes.set_route(admin, "double", {"2": 1})
        async with asyncio.timeout(20):
            while (await path.infer(asking(1, 1))).model_version != "2":
                await asyncio.sleep(0.02)
    await admin.close()
