"""What the batchers have counted of a model's versions, taken together as tallies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

import grpc

from skysail.control.snapshot import Snapshot
from skysail.control.tally import Tally
from skysail.proto import admin_pb2, admin_pb2_grpc
from skysail.telemetry import window
from skysail.telemetry.window import Window

__all__ = ["Counted", "grown", "measure", "tally"]

ASK_TIMEOUT_S = 2.0
#: Longer than any process has run: a window from then on holds all that it has counted.
_EVER_S = 1e12

#: How a call ends that says nothing of the version: its caller broke it off, or asked for what there is not.
_CALLERS_OWN = ("cancelled", "invalid_argument", "not_found", "failed_precondition", "unimplemented")

#: By instance, then by version: all that was counted since it started.
Counted = Mapping[str, Mapping[str, Tally]]


async def measure(snapshot: Snapshot, model: str) -> Counted:
    """Asks every process that batches; one that does not answer in time is left out."""
    instances = [one for one in snapshot.instances.values() if one.role in ("batcher", "fused")]
    answers = await asyncio.gather(*(_ask(one.address, model) for one in instances))
    versions = snapshot.models[model].versions if model in snapshot.models else ()
    return {
        one.id: {version: tally(seen, model, version) for version in versions}
        for one, seen in zip(instances, answers, strict=True)
        if seen is not None
    }


def tally(seen: Window, model: str, version: str) -> Tally:
    """What a window holds of a version."""
    labels = {"model": model, "version": version}
    ended = {
        code: round(seen.total("skysail_batcher_requests", code=code, **labels))
        for code in seen.distinct("skysail_batcher_requests", "code", **labels)
    }
    calls = sum(count for code, count in ended.items() if code not in _CALLERS_OWN)
    batches = seen.distribution("skysail_batcher_batch_rows", **labels).count
    # What no replica was given – answers from the cache, refusals – came one by one.
    alone = max(0, calls - round(seen.total("skysail_batcher_dispatched", model=model, version=version)))
    latency = seen.distribution("skysail_batcher_request_duration_seconds", **labels)
    return Tally(
        calls=calls,
        errors=calls - ended.get("ok", 0),
        trials=batches + alone,
        latency={str(bucket): count for bucket, count in latency.buckets.items()},
    )


def grown(before: Counted, now: Counted, version: str) -> Tally:
    """What was counted between two looks, all instances together.

    An instance that is new counts from its next look on: what it counted before may lie long ago. One that
    was started again has another id.
    """
    return sum(
        (now[one][version] - before[one][version] for one in now if one in before and version in before[one]),
        start=Tally(),
    )


async def _ask(address: str, model: str) -> Window | None:
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            stub = cast("admin_pb2_grpc.AdminAsyncStub", admin_pb2_grpc.AdminStub(channel))
            request = admin_pb2.GetWindowRequest(from_s=_EVER_S, model=model)
            answer = await stub.GetWindow(request, timeout=ASK_TIMEOUT_S)
        except grpc.RpcError:
            return None
    return window.decode(answer.from_s, answer.series)
