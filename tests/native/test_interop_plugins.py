"""Public servicers plug in on the native server: health checking, reflection, and Triton's client."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import InferenceServerClient, service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from skysail.native.grpc_handlers import GrpcHandlers

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Status(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """The part of the inference protocol that is no inference."""

    def ServerLive(self, request: Any, context: grpc.ServicerContext) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: grpc.ServicerContext) -> Any:
        return service_pb2.ServerReadyResponse(ready=False)

    def ModelReady(self, request: Any, context: grpc.ServicerContext) -> Any:
        context.abort(grpc.StatusCode.NOT_FOUND, f"no model '{request.name}'")


@pytest.fixture
def servicer() -> health.HealthServicer:
    return health.HealthServicer()


@pytest.fixture
def address(servicer: health.HealthServicer, serve: Callable[..., str]) -> str:
    handlers = GrpcHandlers()
    server = handlers.as_grpc_server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Status(), server)
    reflection.enable_server_reflection(
        [health.SERVICE_NAME, "inference.GRPCInferenceService", reflection.SERVICE_NAME], server
    )
    return serve(handlers)


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as channel:
        yield channel


def test_health_check_answers_what_was_set(channel: grpc.Channel, servicer: health.HealthServicer) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    servicer.set("model", NOT_SERVING)
    assert stub.Check(health_pb2.HealthCheckRequest(service="")).status == SERVING
    assert stub.Check(health_pb2.HealthCheckRequest(service="model")).status == NOT_SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_watch_follows_changes_without_holding_a_thread(
    channel: grpc.Channel, servicer: health.HealthServicer
) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest(service="model")) for _ in range(40)]
    for watch in watches:
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    servicer.set("model", SERVING)
    assert [next(watch).status for watch in watches] == [SERVING] * 40
    for watch in watches[1:]:
        watch.cancel()
    servicer.set("model", NOT_SERVING)
    assert next(watches[0]).status == NOT_SERVING
    assert stub.Check(health_pb2.HealthCheckRequest(service="")).status == SERVING
    watches[0].cancel()


def test_reflection_lists_services_and_describes_them(channel: grpc.Channel) -> None:
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter(requests.get, None))
    requests.put(reflection_pb2.ServerReflectionRequest(list_services=""))
    names = {service.name for service in next(answers).list_services_response.service}
    assert names == {health.SERVICE_NAME, "inference.GRPCInferenceService", reflection.SERVICE_NAME}
    requests.put(reflection_pb2.ServerReflectionRequest(file_containing_symbol=health.SERVICE_NAME))
    assert next(answers).file_descriptor_response.file_descriptor_proto
    requests.put(None)
    assert list(answers) == []


def test_tritonclient_reads_status_and_errors(address: str) -> None:
    client = InferenceServerClient(address)
    assert client.is_server_live() is True
    assert client.is_server_ready() is False
    with pytest.raises(InferenceServerException, match="no model 'digits'"):
        client.is_model_ready("digits")
    with pytest.raises(InferenceServerException, match=r"(?i)not implemented"):
        client.get_server_metadata()
    client.close()
