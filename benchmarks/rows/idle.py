"""What processes cost that have nothing to do: CPU time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks import processes
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.mesh import Mesh
from benchmarks.servers import Servers
from benchmarks.stats import Goal

_SERVICES = ("frontend", "selector", "batcher")
_WATCH_S = 3.0


def _idle(subject: Mesh) -> Sample:
    """The busiest of our processes as a share of one core, and the largest service."""
    roles = {pid: role for pid, role in subject.roles().items() if role != "etcd"}
    before = {pid: processes.cpu_seconds([pid]) for pid in roles}
    time.sleep(_WATCH_S)
    busiest = max(processes.cpu_seconds([pid]) - before[pid] for pid in roles) / _WATCH_S
    services = [pid for pid, role in roles.items() if role in _SERVICES]
    if len(services) < len(_SERVICES):
        raise RuntimeError(f"expected the services {_SERVICES}, found {sorted(roles.values())}")
    largest = max(processes.rss_bytes(pid) for pid in services) / 1e6
    return Sample(metrics={"idle_cpu": busiest, "rss_mb": largest})


def _arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    mesh = servers.mesh
    return {"mesh": lambda: _idle(mesh)}


EXPERIMENTS = (
    Experiment(
        arms=_arms,
        rows=(
            Row(
                id="idle.cpu",
                subject=("mesh",),
                metric="idle_cpu",
                limit=0.01,
                goal=Goal(factor=1, at_most=True),
            ),
            Row(
                id="idle.rss",
                subject=("mesh",),
                metric="rss_mb",
                limit=90,
                goal=Goal(factor=1, at_most=True),
            ),
        ),
    ),
)
