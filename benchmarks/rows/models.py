"""Real models through the mesh, all inputs distinct, against Triton with the same models."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.rows.mesh import on_mesh, on_triton
from benchmarks.servers import Servers
from benchmarks.stats import Goal


def _compare(*, id: str, model: str, callers: int, factor: float) -> Experiment:
    def arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
        what = Load(
            bodies=servers.digits_bodies(model).path,
            connections=8,
            streams=callers // 8,
            duration_s=servers.seconds,
        )
        return {
            "mesh": lambda: on_mesh(servers.mesh, what),
            "triton": lambda: on_triton(servers, what),
        }

    row = Row(id=id, subject=("mesh",), baseline=("triton",), metric="rate", goal=Goal(factor=factor))
    return Experiment(arms=arms, control="triton", rows=(row,))


EXPERIMENTS = (
    _compare(id="digits.64.rate", model="digits", callers=64, factor=3),
    _compare(id="forest.64.rate", model="forest", callers=64, factor=1.7),
    _compare(id="forest.256.rate", model="forest", callers=256, factor=2.5),
)
