"""Callers leave in droves, or ask for more than there is time for; the others are served."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack

import grpc
import numpy as np
import pytest

from skysail.native import codec
from tests.e2e.conftest import until
from tests.faults.conftest import MODEL, OBJECTIVE_S, Faults, check, steady
from tests.faults.load import METHOD, OPTIONS, WIDTH

STORM = 2000


async def storm(address: str, *, timeout_s: float, leave_after_s: float | None) -> list[str]:
    """Many calls at once, all with that deadline; cancels them where they are to leave. Their statuses."""
    request = codec.encode_request(MODEL, {"x": np.ones((1, WIDTH), np.float32)})
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        infer = channel.unary_unary(METHOD)
        calls = [infer(request, timeout=timeout_s) for _ in range(STORM)]
        if leave_after_s is not None:
            await asyncio.sleep(leave_after_s)
            for call in calls:
                call.cancel()
        return [(await call.code()).name for call in calls]


def test_callers_that_leave_together_take_nobody_with_them(faults: Faults) -> None:
    with faults.load() as load:
        steady(load)
        with (
            faults.misbehaving(faults.replica(0), "slow 0.1"),
            faults.misbehaving(faults.replica(1), "slow 0.1"),
        ):
            for leave_after_s in (0.05, 0.2):
                left = asyncio.run(storm(faults.mesh.grpc, timeout_s=5, leave_after_s=leave_after_s))
                assert set(left) <= {"OK", "CANCELLED", "RESOURCE_EXHAUSTED"}
                assert left.count("CANCELLED") > STORM / 2
        lifted_s = time.monotonic()
        steady(load, 200)
        until(lambda: faults.version()["queued"] == 0)
    # Those who came in the middle of the storm may have been told that the wait is too long.
    check(load, "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
    assert load.recovered_s() < lifted_s + 1.0


def test_queue_that_expires_as_a_whole_leaves_the_replicas_serving(faults: Faults) -> None:
    with faults.load(rate_per_s=20) as load:
        steady(load, 20)
        with (
            faults.misbehaving(faults.replica(0), "slow 0.5"),
            faults.misbehaving(faults.replica(1), "slow 0.5"),
        ):
            time.sleep(0.2)
            ended = asyncio.run(storm(faults.mesh.grpc, timeout_s=0.2, leave_after_s=None))
            assert ended.count("DEADLINE_EXCEEDED") + ended.count("RESOURCE_EXHAUSTED") > STORM / 2
        lifted_s = time.monotonic()
        steady(load, 40)
        until(lambda: faults.version()["queued"] == 0)
    check(load, "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
    assert load.recovered_s() < lifted_s + 1.0


@pytest.mark.parametrize("leaves", [False, True], ids=["deadline", "cancel"])
def test_deadline_and_leave_of_a_caller_reach_the_model(faults: Faults, leaves: bool) -> None:
    """D17: through every process of a mesh, and under load."""
    heard = faults.told / "asked"
    heard.unlink(missing_ok=True)
    # A parameter that the model may see, so that it does not share a batch with the others.
    lone = codec.encode_request(MODEL, {"x": -np.ones((1, WIDTH), np.float32)}, parameters={"alone": "yes"})

    async def ask() -> str:
        async with grpc.aio.insecure_channel(faults.mesh.grpc, options=OPTIONS) as channel:
            call = channel.unary_unary(METHOD)(lone, timeout=5 if leaves else 0.3)
            if leaves:
                await asyncio.sleep(0.2)
                call.cancel()
            return (await call.code()).name

    with faults.load(rate_per_s=100) as load, ExitStack() as told:
        steady(load, 50)
        for slot in (0, 1):
            told.enter_context(faults.misbehaving(faults.replica(slot), "ask"))
        assert asyncio.run(ask()) == ("CANCELLED" if leaves else "DEADLINE_EXCEEDED")
        until(heard.exists)
        steady(load, 50)
    said = json.loads(heard.read_text())
    if leaves:
        assert said["cancelled"]
        assert 0.5 < said["at_first_s"] <= OBJECTIVE_S
    else:
        assert 0 < said["at_first_s"] < 0.31  # gRPC rounds up what it sends
        assert said["waited_s"] < 0.5
    check(load)
    assert load.failures() == []
