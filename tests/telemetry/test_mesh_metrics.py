"""What a running path tells of calls that were made through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from skysail import __version__
from skysail.batcher import BatcherService
from skysail.control import changes
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.control.service import Service
from skysail.frontend import FrontendService
from skysail.proto import admin_pb2, admin_pb2_grpc
from skysail.proto import inference_pb2_grpc as pb_grpc
from skysail.selector import SelectorService
from skysail.telemetry.window import decode
from tests.frontend.test_mesh import EDGE, Path, asking, doubling
from tests.plugins.oip_server import Doubler

REQUESTS = "skysail_frontend_requests_total"


async def get(service: Service, path: str) -> str:
    """What the service's port for metrics answers."""
    host, _, port = service.metrics_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, text = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b" 200 OK" in head
    return text.decode()


async def scrape(service: Service) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample by its name and its labels' values, in order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(await get(service, "/metrics")):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


@pytest.fixture
async def mesh(doubler: Doubler) -> AsyncIterator[tuple[Path, SelectorService, BatcherService]]:
    store = MemoryStore()
    await changes.deploy(store, doubling(doubler.address))
    async with AsyncExitStack() as stack:
        batcher = await stack.enter_async_context(BatcherService(store, ServiceOptions(drain_timeout_s=2)))
        selector = await stack.enter_async_context(SelectorService(store, ServiceOptions(drain_timeout_s=2)))
        frontend = await stack.enter_async_context(FrontendService(store, EDGE))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(frontend.address))
        path = Path(frontend, pb_grpc.GRPCInferenceServiceStub(channel))
        await path.until_it_answers(asking(0, 0))
        yield path, selector, batcher


async def test_d18_rest_and_grpc_count_in_the_same_series(
    mesh: tuple[Path, SelectorService, BatcherService],
) -> None:
    """D18: a call counts alike over either protocol, and so does one that is refused or cannot be read."""
    path, _, _ = mesh
    before = (await scrape(path.frontend))[REQUESTS]
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [5, 6]}]}
    wrong = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [5, 6, 7]}]}

    async def over_grpc(name: str, *numbers: float) -> None:
        request = asking(*numbers, name=name)
        request.inputs[0].shape[:] = [1, len(numbers)]
        await path.infer(request)

    await over_grpc("double", 1, 2)
    assert (await path.http("POST", "/v2/models/double/infer", body))[0] == 200
    for name, numbers in (("double", (1.0, 2.0, 3.0)), ("nobody", (1.0, 2.0))):
        with pytest.raises(grpc.aio.AioRpcError):
            await over_grpc(name, *numbers)
    assert (await path.http("POST", "/v2/models/double/infer", wrong))[0] == 400
    assert (await path.http("POST", "/v2/models/nobody/infer", body))[0] == 404
    broken = asking(1, 2)
    broken.raw_input_contents.append(b"one too many")
    with pytest.raises(grpc.aio.AioRpcError):
        await path.infer(broken)
    assert (await path.http("POST", "/v2/models/double/infer", b"{"))[0] == 400

    after = (await scrape(path.frontend))[REQUESTS]
    grown = {labels: value - before.get(labels, 0) for labels, value in after.items()}
    assert {labels: value for labels, value in grown.items() if value} == {
        ("double", "ok"): 2,
        ("double", "invalid_argument"): 2,
        ("(none)", "not_found"): 2,
        ("(none)", "invalid_argument"): 2,
    }


async def test_each_service_tells_its_part_of_a_call(
    mesh: tuple[Path, SelectorService, BatcherService],
) -> None:
    path, selector, batcher = mesh
    for _ in range(3):
        await path.infer(asking(7, 7))
    at_frontend, at_selector, at_batcher = [await scrape(one) for one in (path.frontend, selector, batcher)]
    ok = at_frontend[REQUESTS][("double", "ok")]
    assert at_frontend["skysail_frontend_request_duration_seconds_count"][("double",)] >= ok
    assert at_frontend["skysail_frontend_in_flight"] == {("double",): 0}
    assert at_frontend["skysail_hop_calls_total"][("selectors",)] >= ok
    assert at_selector["skysail_selector_chosen_total"][("double", "double", "1")] >= ok
    assert at_batcher["skysail_batcher_requests_total"][("ok", "double", "1")] == ok
    version = ("double", "1")
    batches = at_batcher["skysail_batcher_batch_rows_count"][version]
    assert batches >= 1
    assert at_batcher["skysail_batcher_batch_duration_seconds_count"][("double", "0", "1")] == batches
    assert at_batcher["skysail_batcher_fill_duration_seconds_count"][version] == batches
    assert at_batcher["skysail_batcher_queue_duration_seconds_count"][version] == batches
    for service, told in ((path.frontend, at_frontend), (selector, at_selector), (batcher, at_batcher)):
        assert told["skysail_applied_revision"][()] == service.snapshot.revision
        assert told["skysail_build_info"] == {(__version__, service.role): 1}
        assert told["skysail_server_connections_total"][()] >= 1
        assert told["process_cpu_seconds_total"][()] > 0


async def test_stages_of_calls_add_up_to_their_time(
    mesh: tuple[Path, SelectorService, BatcherService],
) -> None:
    path, _, _ = mesh
    before = await scrape(path.frontend)
    for i in range(20):
        await path.infer(asking(i, 7))
    after = await scrape(path.frontend)

    def grown(name: str, *labels: str) -> float:
        return after[name][labels] - before[name].get(labels, 0.0)

    stage = "skysail_frontend_stage_duration_seconds"
    stages = {
        name: grown(f"{stage}_sum", "double", "double", name, "1")
        for name in ("services", "queue", "fill", "hop", "staged", "model")
    }
    assert grown(f"{stage}_count", "double", "double", "model", "1") == 20
    assert sum(stages.values()) == pytest.approx(
        grown("skysail_frontend_request_duration_seconds_sum", "double"), rel=0.01
    )
    assert stages["hop"] > 0 and stages["model"] > 0
    assert after["skysail_hop_duration_seconds_count"][("selectors",)] >= 20


async def test_every_service_tells_what_it_counted_in_a_window(
    mesh: tuple[Path, SelectorService, BatcherService],
) -> None:
    path, _, _ = mesh
    for _ in range(3):
        await path.infer(asking(7, 7))
    async with grpc.aio.insecure_channel(path.frontend.address) as channel:
        admin = cast("admin_pb2_grpc.AdminAsyncStub", admin_pb2_grpc.AdminStub(channel))
        told = await admin.GetWindow(admin_pb2.GetWindowRequest(from_s=60), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await admin.GetWindow(admin_pb2.GetWindowRequest(from_s=1, to_s=2), timeout=10)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    window = decode(told.from_s - told.to_s, told.series)
    assert window.total("skysail_frontend_requests", application="double", code="ok") >= 3
    assert window.distribution("skysail_frontend_request_duration_seconds").count >= 3
    assert told.role == "frontend" and 0 < window.seconds < 60


async def test_every_service_lists_where_the_metrics_of_all_are(
    mesh: tuple[Path, SelectorService, BatcherService],
) -> None:
    path, selector, batcher = mesh
    services = (path.frontend, selector, batcher)
    async with asyncio.timeout(10):
        while any(len(one.snapshot.instances) < 3 for one in services):
            await asyncio.sleep(0.02)
    for service in services:
        listed = {
            group["labels"]["role"]: group["targets"] for group in json.loads(await get(service, "/targets"))
        }
        assert listed == {one.role: [one.metrics_address] for one in services}
