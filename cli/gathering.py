"""How every instance is asked about itself, and what `skysail status` shows of the answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import grpc

from skysail.cli.waiting import read_snapshot
from skysail.control import machine, views
from skysail.control.home import Home
from skysail.control.process_limits import Usage, usage
from skysail.control.running import RunningMesh
from skysail.control.schema import Replica, Version
from skysail.control.snapshot import Snapshot
from skysail.control.store import Store
from skysail.proto import admin_pb2, admin_pb2_grpc
from skysail.telemetry.window import Window, decode, join

__all__ = ["Sample", "summary", "take", "take_window"]

T = TypeVar("T")

ASK_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Sample:
    """One look at everything.

    Attributes:
        at_s: when (monotonic).
        snapshot: the configuration.
        reports: what each instance answered, by its id; without those that did not answer.
        processes: what the supervisor knows, by process name.
        used: what the processes of this machine have, by their ids.
    """

    at_s: float
    snapshot: Snapshot
    reports: dict[str, admin_pb2.GetStatsResponse]
    processes: dict[str, Any]
    used: dict[int, Usage]


async def take(home: Home, store: Store) -> Sample:
    """Asks every instance at once."""
    snapshot = await read_snapshot(store)
    instances = list(snapshot.instances.values())
    answers = await asyncio.gather(*(_ask(one.address, _get_stats) for one in instances))
    reports = {one.id: answer for one, answer in zip(instances, answers, strict=True) if answer is not None}
    here = machine.identity()
    used = {one.pid: usage(one.pid) for one in snapshot.replicas.values() if one.machine == here}
    return Sample(time.monotonic(), snapshot, reports, home.read("units") or {}, used)


async def take_window(store: Store, *, from_s: float, to_s: float = 0.0) -> tuple[Snapshot, Window]:
    """What all instances counted from so many seconds ago to so many seconds ago, and the configuration."""

    def get_window(stub: admin_pb2_grpc.AdminAsyncStub) -> Awaitable[admin_pb2.GetWindowResponse]:
        request = admin_pb2.GetWindowRequest(from_s=from_s, to_s=to_s)
        return stub.GetWindow(request, timeout=ASK_TIMEOUT_S)

    snapshot = await read_snapshot(store)
    asked = (_ask(one.address, get_window) for one in snapshot.instances.values())
    told = [one for one in await asyncio.gather(*asked) if one is not None]
    return snapshot, join(decode(one.from_s - one.to_s, one.series) for one in told)


def _get_stats(stub: admin_pb2_grpc.AdminAsyncStub) -> Awaitable[admin_pb2.GetStatsResponse]:
    return stub.GetStats(admin_pb2.GetStatsRequest(), timeout=ASK_TIMEOUT_S)


async def _ask(address: str, ask: Callable[[admin_pb2_grpc.AdminAsyncStub], Awaitable[T]]) -> T | None:
    """What an instance answers; None when it does not."""
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            return await ask(cast("admin_pb2_grpc.AdminAsyncStub", admin_pb2_grpc.AdminStub(channel)))
        except grpc.RpcError:
            return None


def summary(mesh: RunningMesh, before: Sample, now: Sample) -> dict[str, Any]:
    """Everything as one JSON object; rates are those between the two samples."""
    snapshot = now.snapshot
    return {
        "frontend": {"grpc": mesh.grpc, "http": mesh.http},
        "metrics": mesh.metrics,
        "etcd": mesh.etcd,
        "fused": mesh.fused,
        "revision": snapshot.revision,
        "uptime_s": round(time.time() - mesh.started_at_s, 1),
        "services": [
            {
                "role": one.role,
                "id": one.id,
                "address": one.address,
                "pid": one.pid,
                "metrics": one.metrics,
                "revision": one.applied_revision,
                "answers": one.id in now.reports,
                "cut_off": _cut_off(now.reports.get(one.id)),
            }
            for one in snapshot.instances.values()
        ],
        "applications": [
            _application(name, application.objective_ms, before, now)
            for name, application in sorted(views.applications(snapshot).items())
        ],
        "versions": [
            _version(model.name, name, before, now)
            for model in snapshot.models.values()
            for name in model.versions
        ],
        "rollouts": [
            {
                "model": one.model,
                "version": one.version,
                "share": one.steps[one.step],
                "state": one.state,
                "reason": one.reason,
            }
            for one in snapshot.rollouts.values()
        ],
        "replicas": [
            {
                "model": one.model,
                "version": one.version,
                "id": one.id,
                "address": one.address,
                "metrics": one.metrics,
                "pid": one.pid,
                "memory_mib": _mib(now, [one]),
                "open_files": now.used[one.pid].open_files if one.pid in now.used else None,
                "limits": now.snapshot.models[one.model].resources.model_dump()
                if one.model in now.snapshot.models
                else None,
            }
            for one in snapshot.replicas.values()
        ],
        "processes": [{"name": name, **state} for name, state in sorted(now.processes.items())],
    }


def _cut_off(report: admin_pb2.GetStatsResponse | None) -> dict[str, int]:
    """Peers that a service cut off, by reason; those reasons that there were."""
    counts = json.loads(report.stats_json)["server"]["cut_off"] if report is not None else {}
    return {reason: count for reason, count in counts.items() if count}


def _application(name: str, objective_ms: float, before: Sample, now: Sample) -> dict[str, Any]:
    path = ("frontend", "applications", name)
    old, new = _find(before, *path), _find(now, *path)
    latency = [one["latency_s"] for one in new]
    return {
        "name": name,
        "objective_ms": objective_ms,
        "requests": _sum(new, "requests"),
        "rate_per_s": _rate(old, new, before, now),
        "defaults": sum(sum(one["defaults"].values()) for one in new),
        "errors": sum(count for one in new for code, count in one["ended"].items() if code != "ok"),
        "p50_ms": _highest(latency, "p50"),
        "p99_ms": _highest(latency, "p99"),
    }


def _version(model: str, version: str, before: Sample, now: Sample) -> dict[str, Any]:
    path = ("batcher", "models", model, version)
    old, new = _find(before, *path), _find(now, *path)
    target = now.snapshot.models[model].versions[version]
    document = now.snapshot.versions.get((model, version))
    rows = [one["batching"]["rows"] for one in new]
    batches = sum(one["count"] for one in rows)
    lookups = sum(one["cache"]["lookups"] for one in new)
    hits = sum(one["cache"]["hits"] for one in new)
    return {
        "model": model,
        "version": version,
        "weight": target.weight,
        "replicas": target.replicas,
        "ready": _in_rotation(now.snapshot, document, new),
        "lost": sum(one["replicas"]["lost"] for one in new),
        "hung": sum(one["replicas"]["hung"] for one in new),
        "memory_mib": _mib(
            now, views.ready_replicas(now.snapshot.replicas.values(), document) if document else []
        ),
        "requests": _sum(new, "requests"),
        "rate_per_s": _rate(old, new, before, now),
        "batches": batches,
        "rows": round(sum(one["sum"] for one in rows)),
        "batch_rows": round(sum(one["sum"] for one in rows) / batches, 2) if batches else None,
        "limit_rows": max((one["batching"]["limit_rows"] for one in new), default=None),
        "model_p50_ms": _highest([one["batching"]["model_s"] for one in new], "p50"),
        "model_p99_ms": _highest([one["batching"]["model_s"] for one in new], "p99"),
        "refused": _refused(one["batching"]["refused"] for one in new),
        "applications": _by_application(new),
        "queued": sum(one["batching"]["queued"] for one in new),
        "hit_rate": round(hits / lookups, 4) if lookups else None,
        "cache_hits": hits,
        "cache_lookups": lookups,
    }


def _mib(sample: Sample, replicas: Iterable[Replica]) -> int | None:
    """What they have resident, together; None where none of them runs on this machine."""
    found = [sample.used[one.pid].memory_bytes for one in replicas if one.pid in sample.used]
    return sum(found) >> 20 if found else None


def _refused(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Calls that were not run, by reason."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)


def _by_application(stats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What became of the calls of each application and class of priority, of those that were not cached."""
    lanes: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in stats:
        for application, classes in one["applications"].items():
            for priority, lane in classes.items():
                lanes.setdefault((application, priority), []).append(lane)
    return [
        {
            "name": name,
            "priority": priority,
            "dispatched": _sum(found, "dispatched"),
            "refused": _refused(lane["refused"] for lane in found),
        }
        for (name, priority), found in sorted(lanes.items())
    ]


def _in_rotation(snapshot: Snapshot, version: Version | None, stats: list[dict[str, Any]]) -> int:
    """The replicas that are there and, as far as a batcher says so, answer."""
    if version is None:
        return 0
    there = len(views.ready_replicas(snapshot.replicas.values(), version)) + len(version.endpoints)
    return min(there, max((one["replicas"]["ready"] for one in stats), default=there))


def _find(sample: Sample, *path: str) -> list[dict[str, Any]]:
    """What lies under a path in the statistics of each instance that has it."""
    found = []
    for report in sample.reports.values():
        value: Any = json.loads(report.stats_json)
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, dict):
            found.append(value)
    return found


def _sum(stats: list[dict[str, Any]], name: str) -> int:
    return sum(one[name] for one in stats)


def _rate(old: list[dict[str, Any]], new: list[dict[str, Any]], before: Sample, now: Sample) -> float | None:
    elapsed_s = now.at_s - before.at_s
    # An instance that was restarted in between counts from zero again.
    return (
        round(max(0, _sum(new, "requests") - _sum(old, "requests")) / elapsed_s, 1) if elapsed_s > 0 else None
    )


def _highest(quantiles: list[dict[str, Any]], name: str) -> float | None:
    """The worst among the instances, in milliseconds; None where nothing was counted."""
    values = [one[name] for one in quantiles if one["count"]]
    return round(max(values) * 1e3, 3) if values else None
