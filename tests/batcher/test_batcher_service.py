"""A batcher alone, in front of a model server that others run."""

import grpc
import pytest

from skysail.batcher import BatcherService
from skysail.control import changes
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.proto import inference_pb2_grpc as pb_grpc
from tests.frontend.test_mesh import asking, doubling, numbers_of
from tests.plugins.oip_server import Doubler

OPTIONS = ServiceOptions(drain_timeout_s=2)


@pytest.mark.parametrize(
    ("immutable", "cache", "asked"), [(False, None, 3), (True, None, 1), (True, False, 3)]
)
async def test_answers_of_others_are_remembered_only_when_declared_immutable(
    doubler: Doubler, immutable: bool, cache: bool | None, asked: int
) -> None:
    store = MemoryStore()
    version = doubling(doubler.address).model_copy(update={"immutable": immutable})
    await changes.deploy(store, version, cache=cache)
    async with (
        BatcherService(store, OPTIONS) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        request = asking(1, 2)
        request.model_version = "1"
        for _ in range(3):
            assert numbers_of(await stub.ModelInfer(request, timeout=10)) == [2, 4]
    assert doubler.calls == asked


async def test_a_version_without_replicas_is_unavailable(doubler: Doubler) -> None:
    store = MemoryStore()
    version = doubling(doubler.address).model_copy(update={"loader": "sklearn", "endpoints": ()})
    await changes.deploy(store, version)
    async with (
        BatcherService(store, OPTIONS) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        request = asking(1, 2)
        request.model_version = "1"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
