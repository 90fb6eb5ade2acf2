"""What the batcher's own rules make of a model, with no setting touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks import load, processes
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.rows.overload import faults
from benchmarks.servers import Servers
from benchmarks.stats import Goal

OBJECTIVE_MS = 20
PART_OF_CAPACITY = 0.3


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
