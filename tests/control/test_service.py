"""What all services have in common, on each of them in process."""

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from skysail import __version__
from skysail.batcher import BatcherService
from skysail.control import changes, keys
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.control.schema import Instance
from skysail.control.service import Service
from skysail.frontend import FrontendService, FusedService
from skysail.proto import admin_pb2, admin_pb2_grpc
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc
from skysail.selector import SelectorService
from tests.control.test_changes import version

ROLES: list[type[Service]] = [FrontendService, SelectorService, BatcherService, FusedService]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(params=ROLES, ids=lambda kind: kind.role)
async def service(request: pytest.FixtureRequest, store: MemoryStore) -> AsyncIterator[Service]:
    await changes.deploy(store, version())
    async with request.param(store, ServiceOptions(drain_timeout_s=2)) as running:
        yield running


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(service.address) as made:
        yield made


async def instances(store: MemoryStore) -> list[Instance]:
    listing = await store.list(f"{keys.PREFIX}instances/")
    return [Instance.decode(entry.value) for entry in listing.entries]


async def until_registered(store: MemoryStore, revision: int) -> Instance:
    async with asyncio.timeout(10):
        while True:
            found = await instances(store)
            if found and found[0].applied_revision >= revision:
                return found[0]
            await asyncio.sleep(0.005)


async def serving(channel: grpc.aio.Channel, name: str = "") -> str:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


async def test_it_registers_with_what_others_need_to_reach_it(service: Service, store: MemoryStore) -> None:
    found = await until_registered(store, service.snapshot.revision)
    assert (found.role, found.id, found.address) == (service.role, service.id, service.address)
    assert found.applied_revision == service.snapshot.revision > 0


async def test_it_publishes_the_revision_that_it_has_applied(service: Service, store: MemoryStore) -> None:
    revision = await changes.scale(store, "digits", 2)
    found = await until_registered(store, revision)
    assert found.applied_revision == revision


async def test_it_is_healthy(service: Service, channel: grpc.aio.Channel) -> None:
    assert await serving(channel) == await serving(channel, "inference.GRPCInferenceService") == "SERVING"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await serving(channel, "nobody")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_it_answers_the_protocols_questions(service: Service, channel: grpc.aio.Channel) -> None:
    stub = pb_grpc.GRPCInferenceServiceStub(channel)

    async def ask(method: str, request: Message) -> Message:
        answer: Message = await getattr(stub, method)(request, timeout=5)
        return answer

    assert await ask("ServerLive", pb.ServerLiveRequest()) == pb.ServerLiveResponse(live=True)
    assert await ask("ServerReady", pb.ServerReadyRequest()) == pb.ServerReadyResponse(ready=True)
    assert await ask("ServerMetadata", pb.ServerMetadataRequest()) == pb.ServerMetadataResponse(
        name="skysail", version=__version__
    )
    tensor = pb.ModelMetadataResponse.TensorMetadata
    assert await ask("ModelMetadata", pb.ModelMetadataRequest(name="digits")) == pb.ModelMetadataResponse(
        name="digits",
        versions=["1"],
        platform="sklearn",
        inputs=[tensor(name="x", datatype="FP32", shape=[-1, 16])],
        outputs=[tensor(name="y", datatype="FP32", shape=[-1, 1])],
    )
    assert await ask("ModelReady", pb.ModelReadyRequest(name="digits")) == pb.ModelReadyResponse(ready=False)
    for request in (
        pb.ModelMetadataRequest(name="cats"),
        pb.ModelMetadataRequest(name="digits", version="9"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask("ModelMetadata", request)
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_it_reports_about_itself(service: Service, channel: grpc.aio.Channel) -> None:
    stub = admin_pb2_grpc.AdminStub(channel)
    report = await stub.GetStats(admin_pb2.GetStatsRequest(), timeout=5)
    assert (report.role, report.id, report.version) == (service.role, service.id, __version__)
    assert report.applied_revision == service.snapshot.revision
    assert report.uptime_s > 0
    stats = json.loads(report.stats_json)
    assert {*service.plane.stages, "server", "configuration", "tracing", "channels"} == set(stats)
    assert stats["configuration"] == {"store_connected": True, "rejected_documents": {}, "rejections": 0}


async def test_it_can_be_explored_by_reflection(service: Service, channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="skysail.v1.Admin"),
    ]
    call = stub.ServerReflectionInfo(iter(requests), timeout=5)
    names, file = [answer async for answer in call]
    assert {one.name for one in names.list_services_response.service} == {
        "inference.GRPCInferenceService",
        "skysail.v1.Admin",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert file.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("kind", ROLES, ids=lambda kind: kind.role)
async def test_it_is_not_ready_before_its_first_configuration(
    kind: type[Service], store: MemoryStore
) -> None:
    await store.set_away(True)
    service = kind(store)
    await service.start()
    try:
        async with grpc.aio.insecure_channel(service.address) as channel:
            assert await serving(channel) == "NOT_SERVING"
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            assert not (await stub.ServerReady(pb.ServerReadyRequest(), timeout=5)).ready
            assert (await stub.ServerLive(pb.ServerLiveRequest(), timeout=5)).live
            await store.set_away(False)
            await service.wait_ready()
            assert await serving(channel) == "SERVING"
    finally:
        await service.stop()


@pytest.mark.parametrize("kind", ROLES, ids=lambda kind: kind.role)
async def test_stopping_takes_it_out_of_the_store(kind: type[Service], store: MemoryStore) -> None:
    async with kind(store):
        await until_registered(store, 1)
    assert await instances(store) == []


async def test_a_port_that_is_taken_is_one_clear_error(store: MemoryStore) -> None:
    async with SelectorService(store) as first:
        with pytest.raises(Exception, match=first.address) as caught:
            async with SelectorService(store, ServiceOptions(listen=first.address)):
                pass
        assert "NativeError" in type(caught.value).__name__


async def test_a_service_may_answer_on_a_unix_socket_too(store: MemoryStore, tmp_path: object) -> None:
    async with BatcherService(store, ServiceOptions(unix=f"{tmp_path}/b.sock")) as service:
        found = await until_registered(store, 1)
        assert found.unix == service.unix_address == f"unix:{tmp_path}/b.sock"
        async with grpc.aio.insecure_channel(service.unix_address) as channel:
            assert await serving(channel) == "SERVING"
