"""Health watches see the drain and do not hold it up."""

import asyncio
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from skysail.batcher import BatcherService
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_watch_sees_the_drain_and_ends() -> None:
    service = BatcherService(MemoryStore(), ServiceOptions(drain_timeout_s=30))
    await service.start()
    await service.wait_ready()
    async with grpc.aio.insecure_channel(service.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        began = time.monotonic()
        stopping = asyncio.ensure_future(service.stop())
        assert (await watch.read()).status == NOT_SERVING
        assert await watch.read() == grpc.aio.EOF
        await stopping
        assert time.monotonic() - began < 5


async def test_a_watch_that_left_is_forgotten() -> None:
    async with BatcherService(MemoryStore()) as service:
        async with grpc.aio.insecure_channel(service.address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            watch.cancel()
        began = time.monotonic()
    assert time.monotonic() - began < 5
