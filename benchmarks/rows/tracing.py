"""What recording spans costs the mesh a call: CPU time of all its processes, against tracing turned off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.rows.mesh import on_mesh
from benchmarks.servers import Servers
from benchmarks.stats import Goal


def _arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    what = Load(bodies=servers.trivial_bodies().path, duration_s=servers.seconds)
    parts = {"off": None, "none": 0.0, "1%": 0.01, "all": 1.0}
    return {
        name: lambda part=part: on_mesh(servers.traced(part), what)  # type: ignore[misc]
        for name, part in parts.items()
    }


def _row(name: str, arm: str, most: float) -> Row:
    return Row(
        id=f"tracing.{name}.cpu",
        subject=(arm,),
        baseline=("off",),
        metric="cpu_ms",
        goal=Goal(factor=most, at_most=True),
    )


EXPERIMENTS = (
    Experiment(
        arms=_arms,
        control="off",
        rows=(_row("none", "none", 1.01), _row("hundredth", "1%", 1.02), _row("all", "all", 1.12)),
    ),
)
