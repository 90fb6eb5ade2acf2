"""What the prediction cache gives for repeated inputs, and what it costs a call for distinct ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from benchmarks import load
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.mesh import Mesh
from benchmarks.rows.mesh import on_mesh
from benchmarks.servers import Servers
from benchmarks.stats import Goal

_ZIPF = ("--zipf", "1.0", "--first", "1000")


def _repeated(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    fused = servers.fused
    target, pid = servers.reference("native_server", "1")
    what = Load(bodies=servers.trivial_bodies("cached").path, duration_s=servers.seconds, extra=_ZIPF)
    return {
        "fused, cached": lambda: on_mesh(fused, what),
        "bare": lambda: Sample.of(load.run(target, what, pids=[pid])),
    }


def _distinct(servers: Servers, subject: Mesh) -> Mapping[str, Callable[[], Sample]]:
    seeds = itertools.count(1)

    def arm(model: str) -> Callable[[], Sample]:
        file = servers.trivial_bodies(model)

        def run() -> Sample:
            # No two calls are equal, whether of one run or of two.
            vary = ("--vary", str(file.raw_offset), "--seed", str(next(seeds)))
            return on_mesh(subject, Load(bodies=file.path, duration_s=servers.seconds, extra=vary))

        return run

    return {"cache on": arm("cached"), "cache off": arm("trivial")}


def _distinct_row(id: str) -> Row:
    return Row(
        id=id,
        subject=("cache on",),
        baseline=("cache off",),
        metric="cpu_ms",
        goal=Goal(factor=1.03, at_most=True),
    )


EXPERIMENTS = (
    Experiment(
        arms=_repeated,
        control="bare",
        rows=(
            Row(
                id="cache.zipf.rate",
                subject=("fused, cached",),
                baseline=("bare",),
                metric="rate",
                goal=Goal(factor=0.6),
            ),
        ),
    ),
    Experiment(
        arms=lambda servers: _distinct(servers, servers.mesh),
        control="cache off",
        rows=(_distinct_row("cache.distinct.mesh.cpu"),),
    ),
    Experiment(
        arms=lambda servers: _distinct(servers, servers.fused),
        control="cache off",
        rows=(_distinct_row("cache.distinct.fused.cpu"),),
    ),
)
