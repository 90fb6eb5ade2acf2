"""A selector in front of a batcher: the route decides, and equal contexts meet equal versions."""

import asyncio
from collections import Counter
from contextlib import suppress

import grpc
import pytest

from skysail.batcher import BatcherService
from skysail.control import changes, configuration, keys, rollouts
from skysail.control.memory_store import MemoryStore
from skysail.control.options import ServiceOptions
from skysail.control.snapshot import Assembler
from skysail.proto import inference_pb2_grpc as pb_grpc
from skysail.selector import SelectorService
from tests.frontend.test_mesh import Path, asking, doubling
from tests.plugins.oip_server import Doubler

OPTIONS = ServiceOptions(drain_timeout_s=2)


async def test_the_route_splits_contexts_and_keeps_each_where_it_is(doubler: Doubler) -> None:
    store = MemoryStore()
    await changes.deploy(store, doubling(doubler.address))
    await changes.deploy(store, doubling(doubler.address, version="2"))
    await changes.set_route(store, "double", {"1": 3, "2": 1})
    async with (
        BatcherService(store, OPTIONS),
        SelectorService(store, OPTIONS) as selector,
        grpc.aio.insecure_channel(selector.address) as channel,
    ):
        path = Path(selector, pb_grpc.GRPCInferenceServiceStub(channel))  # type: ignore[arg-type]
        await path.until_it_answers(asking(0, 0))
        seen: dict[str, str] = {}
        for round_number in range(2):
            for user in map(str, range(200)):
                request = asking(1, 2)
                request.parameters["skysail.context"].string_param = user
                version = (await path.infer(request)).model_version
                assert seen.setdefault(user, version) == version, f"round {round_number}"
    shares = Counter(seen.values())
    assert set(shares) == {"1", "2"}
    assert 120 < shares["1"] < 180


@pytest.mark.parametrize(("reached", "end"), [(True, "done"), (False, "rolled back")])
async def test_a_rollout_is_driven_by_what_the_batcher_counted(
    doubler: Doubler, reached: bool, end: str
) -> None:
    store = MemoryStore()
    address = doubler.address if reached else "127.0.0.1:1"
    await changes.deploy(store, doubling(doubler.address))
    await changes.deploy(store, doubling(address, version="2"))
    async with (
        BatcherService(store, OPTIONS),
        SelectorService(store, OPTIONS) as selector,
        grpc.aio.insecure_channel(selector.address) as channel,
    ):
        path = Path(selector, pb_grpc.GRPCInferenceServiceStub(channel))  # type: ignore[arg-type]
        await path.until_it_answers(asking(0, 0))
        now = configuration.of_snapshot(Assembler().load(await store.list(keys.PREFIX)))
        plan = {"steps": (50.0, 100.0), "hold_s": 1.0, "min_calls": 20, "gates": ("error_rate<=baseline+1%",)}
        await changes.replace(store, now, rollouts.begun(now, "double", "2", **plan), action="begin")
        number = 0
        async with asyncio.timeout(30):
            while not (found := selector.snapshot.rollouts.get("double")) or not found.ended:
                number += 1
                with suppress(grpc.aio.AioRpcError):
                    await path.infer(asking(number, 1), timeout_s=0.1)
    assert found.state == end, found
    if not reached:
        assert "calls failed, of the baseline 0.00%" in found.reason
