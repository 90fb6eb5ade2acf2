"""How long a bad version goes on answering when it is rolled back, and what callers feel of it."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmarks import load
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load, Seen
from benchmarks.mesh import Mesh
from benchmarks.servers import Servers
from benchmarks.stats import Goal

TRIALS = 4
"""Rollbacks of one sample, of which the worst counts: five rounds are twenty."""


def _arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    serving = [2]

    def sent(version: int) -> Load:
        """64 callers, whose inputs repeat, so that the answers of both versions are in the cache."""
        return Load(
            bodies=servers.trivial_bodies("turning", more=version).path,
            duration_s=servers.seconds,
            warmup_s=0.2,
            extra=("--check-every", "1", "--zipf", "1", "--first", "8192"),
        )

    def steady() -> Sample:
        return Sample.of(load.run(servers.turning.grpc, sent(*serving), pids=[]))

    def rollback() -> Sample:
        mesh = servers.turning
        trials = []
        for _ in range(TRIALS):
            serving[:] = [3 - serving[0]]
            with ThreadPoolExecutor(1) as beside:
                going = beside.submit(load.run, mesh.grpc, sent(*serving), pids=[])
                mesh.command("rollback", "turning")
                trials.append((going.result(), _committed_s(mesh)))
        seen = [one for one, _ in trials]
        return Sample(
            metrics={
                "last_ms": max((one.last_wrong_s or 0) - at_s for one, at_s in trials) * 1e3,
                "p99_us": max(one.p99_us for one in seen),
            },
            faults=tuple(fault for one in seen for fault in _faults(one)),
        )

    return {"steady": steady, "rollback": rollback}


def _faults(seen: Seen) -> tuple[str, ...]:
    """The version that is rolled back answers until it is; no call may fail."""
    if seen.failed:
        return (f"calls failed: {seen.errors}",)
    if not 0 < seen.wrong < seen.checked:
        return ("the rollback did not fall into the run",)
    return ()


def _committed_s(mesh: Mesh) -> float:
    """When the latest change's transaction was sent, on the system's clock (Unix)."""
    change = json.loads(mesh.command("history", "turning", "-n", "1", "--json"))["changes"][-1]
    return datetime.datetime.fromisoformat(change["at"]).timestamp()


EXPERIMENTS = (
    Experiment(
        arms=_arms,
        control="steady",
        rows=(
            Row(
                id="rollback.last",
                subject=("rollback",),
                metric="last_ms",
                limit=100,
                goal=Goal(factor=1, at_most=True, always=True),
            ),
            Row(
                id="rollback.p99",
                subject=("rollback",),
                baseline=("steady",),
                metric="p99_us",
                goal=Goal(factor=1.3, at_most=True),
            ),
        ),
    ),
)
