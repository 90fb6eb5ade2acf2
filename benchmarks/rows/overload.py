"""What is left of a model's capacity when three times that is asked of it, and how soon the rest is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks import load
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load, Seen
from benchmarks.servers import Servers
from benchmarks.stats import Goal

OBJECTIVE_MS = 100
FACTOR = 3.0
REFUSED, LATE = "grpc-8", "grpc-4"
"""RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED, as the load generator names them."""


def _arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    closed = Load(
        bodies=servers.trivial_bodies("paced").path,
        connections=8,
        streams=16,
        duration_s=servers.seconds,
        warmup_s=1,
    )
    last: list[float] = []

    def capacity() -> Sample:
        seen = load.run(servers.paced(OBJECTIVE_MS).grpc, closed, pids=[])
        last[:] = [seen.rate]
        return Sample(metrics={"rate": seen.rate}, faults=faults(seen))

    def overload() -> Sample:
        if not last:
            capacity()
        extra = ("--header", f"grpc-timeout: {OBJECTIVE_MS}m", "--max-outstanding", "65536")
        flood = replace(closed, streams=512, rate=FACTOR * last[0], extra=extra)
        seen = load.run(servers.paced(OBJECTIVE_MS).grpc, flood, pids=[])
        found = faults(seen)
        if not math.isfinite(seen.refused_p99_us):
            found += ("no call was refused",)
        return Sample(metrics={"rate": seen.rate, "refused_p99_us": seen.refused_p99_us}, faults=found)

    return {"capacity": capacity, "overload": overload}


def faults(seen: Seen) -> tuple[str, ...]:
    """Calls may be refused or late, but not fail otherwise, and an answer that is given is right."""
    found = []
    if seen.errors.keys() - {REFUSED, LATE}:
        found.append(f"calls failed: {seen.errors}")
    if seen.wrong:
        found.append(f"{seen.wrong} of {seen.checked} checked answers were wrong")
    return tuple(found)


EXPERIMENTS = (
    Experiment(
        arms=_arms,
        control="capacity",
        rows=(
            Row(
                id="overload.goodput",
                subject=("overload",),
                baseline=("capacity",),
                metric="rate",
                goal=Goal(factor=0.9),
            ),
            Row(
                id="overload.refusal",
                subject=("overload",),
                metric="refused_p99_us",
                limit=5000,
                goal=Goal(factor=1, at_most=True),
            ),
        ),
    ),
)
