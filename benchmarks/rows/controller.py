"""What the batcher's own rules make of a model, with no setting touched."""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks import load, processes
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import BUILD, Load
from benchmarks.rows.overload import faults
from benchmarks.servers import Servers
from benchmarks.stats import Goal

TRACES = ("poisson", "bursts", "step", "diurnal", "zipf")
ADAPTIVE = ("clipper", "least_squares", "hill_climbing")
SHAPES = ("flat", "linear", "stepped", "quadratic", "edge")
VARIANTS = ("", ".noise", ".pauses")
FIRST_SEED = 1001
"""A seed a round; other ones than those of the tests."""

OBJECTIVE_MS = 20
PART_OF_CAPACITY = 0.3


@functools.cache
def _replayed(seed: int) -> Mapping[str, float]:
    """What each rule makes of each scenario of ``native/replay``."""
    done = subprocess.run([str(BUILD / "replay"), str(seed)], capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _figures(names: Mapping[str, str], metric: str) -> Mapping[str, Callable[[], Sample]]:
    """An arm for each figure, by the arm's name; the next seed at each run."""

    def arm(figure: str) -> Callable[[], Sample]:
        seeds = itertools.count(FIRST_SEED)
        return lambda: Sample(metrics={metric: _replayed(next(seeds))[figure]})

    return {name: arm(figure) for name, figure in names.items()}


def _trace(name: str) -> Experiment:
    """Answers in time against the best of the published rules, and of 24 fixed settings in hindsight."""
    figures = {rule: f"{name}.{rule}" for rule in ("ours", *ADAPTIVE, "fixed")}
    return Experiment(
        arms=lambda _: _figures(figures, "good"),
        rows=(
            Row(
                id=f"controller.{name}.adaptive",
                subject=("ours",),
                baseline=ADAPTIVE,
                metric="good",
                goal=Goal(factor=1),
            ),
            Row(
                id=f"controller.{name}.fixed",
                subject=("ours",),
                baseline=("fixed",),
                metric="good",
                goal=Goal(factor=0.95),
            ),
        ),
    )


def _shape(name: str) -> Experiment:
    """Answers in time from the 200th batch on, under more load than any size bears."""
    return Experiment(
        arms=lambda _: _figures({"ours": f"{name}.ours", "best fixed size": f"{name}.fixed"}, "good"),
        rows=(
            Row(
                id=f"controller.shape.{name}",
                subject=("ours",),
                baseline=("best fixed size",),
                metric="good",
                goal=Goal(factor=0.9),
            ),
        ),
    )


def _least(id: str, figure: str, least: float) -> Experiment:
    """The least of what several scenarios give, as a share of what there is."""
    return Experiment(
        arms=lambda _: _figures({"ours": figure}, "share"),
        rows=(
            Row(id=f"controller.{id}", subject=("ours",), metric="share", limit=least, goal=Goal(factor=1)),
        ),
    )


def _delay(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    """A stream of calls to a model of known cost in processor time, with the learned delay and without.

    The model has a core to itself: one that waits for a core is held back as well, by chance.
    """
    capacity: list[float] = []

    def stream(model: str, *, rate: float) -> Load:
        return Load(
            bodies=servers.trivial_bodies(model).path,
            streams=64,
            rate=rate,
            duration_s=servers.seconds,
            warmup_s=1,
            extra=("--max-outstanding", "65536"),
        )

    def arm(delay: str) -> Callable[[], Sample]:
        def run() -> Sample:
            model = f"costed-{delay}"
            mesh = servers.costed(model, objective_ms=OBJECTIVE_MS, delay=delay)
            roles = mesh.roles()
            models = [pid for pid, role in roles.items() if role == "serve-model"]
            with processes.core_apart(models, roles.keys() - models):
                if not capacity:  # of the mesh on this machine: what a closed loop gets
                    capacity.append(load.run(mesh.grpc, stream(model, rate=0), pids=[]).rate)
                what = replace(stream(model, rate=PART_OF_CAPACITY * capacity[0]), streams=512)
                seen = load.run(mesh.grpc, what, pids=[], roles=roles)
            metrics = {
                "model_cpu_ms": seen.cpu_ms_by_role["serve-model"],
                "p50_us": seen.p50_us,
                "p99_us": seen.p99_us,
            }
            return Sample(metrics=metrics, faults=faults(seen))

        return run

    return {"learned delay": arm("learned"), "no delay": arm("none")}


EXPERIMENTS = (
    *(_trace(name) for name in TRACES),
    *(_shape(shape + variant) for shape in SHAPES for variant in VARIANTS),
    _least("shape.in_time", "shapes.in_time", 0.99),
    _least("recovery.in_time", "recovery.in_time", 0.99),
    _least("recovery.slow", "recovery.slow", 0.9),
    _least("recovery.fast", "recovery.fast", 0.9),
    _least("early_drop", "drop", 2),
    _least("no_batching", "no_batching", 0.98),
    Experiment(
        arms=_delay,
        control="no delay",
        rows=(
            Row(
                id="controller.delay.model_cpu",
                subject=("learned delay",),
                baseline=("no delay",),
                metric="model_cpu_ms",
                goal=Goal(factor=0.5, at_most=True),
            ),
            Row(
                id="controller.delay.p99",
                subject=("learned delay",),
                metric="p99_us",
                limit=1000 * OBJECTIVE_MS,
                goal=Goal(factor=1, at_most=True),
            ),
            Row(
                id="controller.delay.p50",
                subject=("learned delay",),
                baseline=("no delay",),
                metric="p50_us",
            ),
        ),
    ),
)
