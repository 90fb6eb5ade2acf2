"""The mesh and the fused process against Triton with the trivial model; what a hop costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks import load
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.mesh import Mesh
from benchmarks.search import highest_passing
from benchmarks.servers import Servers
from benchmarks.stats import Goal

Arm = Callable[[], Sample]

HELD_P99_US = 20_000
"""An open-loop rate is held when 99% of the calls are answered so soon after they should have been sent."""

_FORWARDS = ("selector",)  # a process whose whole work is one hop


def on_mesh(subject: Mesh, what: Load) -> Sample:
    """One closed-loop run, with the CPU time of a hop beside that of everything."""
    seen = load.run(subject.grpc, what, pids=subject.pids(), roles=subject.roles())
    sample = Sample.of(seen)
    hops = [cpu_ms for role, cpu_ms in seen.cpu_ms_by_role.items() if role in _FORWARDS]
    return replace(sample, metrics={**sample.metrics, "hop_cpu_ms": sum(hops)}) if hops else sample


def on_triton(servers: Servers, what: Load, *, rest: bool = False) -> Sample:
    """One closed-loop run against the baseline."""
    triton = servers.triton
    return Sample.of(load.run(triton.http if rest else triton.grpc, what, pids=[triton.pid]))


def _closed(servers: Servers, *, connections: int, streams: int) -> Mapping[str, Arm]:
    grpc = Load(
        bodies=servers.trivial_bodies().path,
        connections=connections,
        streams=streams,
        duration_s=servers.seconds,
    )
    rest_body = servers.rest_bodies
    rest = replace(
        grpc,
        bodies=rest_body.path,
        connections=connections * streams,
        streams=1,
        extra=(
            *("--protocol", "h1", "--path", "/v2/models/trivial/infer"),
            *("--header", f"Inference-Header-Content-Length: {rest_body.json_size}"),
        ),
    )
    return {
        "mesh": lambda: on_mesh(servers.mesh, grpc),
        "triton": lambda: on_triton(servers, grpc),
        "fused": lambda: on_mesh(servers.fused, grpc),
        "triton REST": lambda: on_triton(servers, rest, rest=True),
    }


def _hop(servers: Servers) -> Mapping[str, Arm]:
    target, pid = servers.reference("native_server", "1")
    what = Load(bodies=servers.trivial_bodies().path, duration_s=servers.seconds)
    return {
        "mesh": lambda: on_mesh(servers.mesh, what),
        "bare": lambda: Sample.of(load.run(target, what, pids=[pid])),
    }


def _open(servers: Servers) -> Mapping[str, Arm]:
    shortest_s = min(servers.seconds, 1.5)
    last: dict[str, float] = {"mesh": 20_000.0, "triton": 8_000.0}

    def held(name: str, target: str) -> Sample:
        faults: list[str] = []

        def passes(rate: float) -> bool:
            what = Load(
                bodies=servers.trivial_bodies().path,
                streams=512,
                rate=rate,
                duration_s=shortest_s,
                warmup_s=0.3,
            )
            # A stall of the machine is no property of the server: a failed probe gets a second chance.
            for _ in range(2):
                seen = load.run(target, what, pids=[])
                if seen.wrong:
                    faults.append(f"{seen.wrong} of {seen.checked} checked answers were wrong")
                if seen.p99_us <= HELD_P99_US:
                    return True
            return False

        rate = highest_passing(passes, start=last[name])
        last[name] = max(rate, 100.0)
        return Sample(metrics={"held_rate": rate}, faults=tuple(faults))

    return {
        "mesh": lambda: held("mesh", servers.mesh.grpc),
        "triton": lambda: held("triton", servers.triton.grpc),
    }


EXPERIMENTS = (
    Experiment(
        arms=lambda servers: _closed(servers, connections=8, streams=8),
        control="triton",
        rows=(
            Row(
                id="mesh.64.rate",
                subject=("mesh",),
                baseline=("triton",),
                metric="rate",
                goal=Goal(factor=3),
            ),
            Row(id="mesh.64.rest", subject=("mesh",), baseline=("triton REST",), metric="rate"),
            Row(
                id="fused.64.rate",
                subject=("fused",),
                baseline=("triton",),
                metric="rate",
                goal=Goal(factor=6),
            ),
            Row(id="fused.64.rest", subject=("fused",), baseline=("triton REST",), metric="rate"),
        ),
    ),
    Experiment(
        arms=lambda servers: _closed(servers, connections=1, streams=1),
        control="triton",
        rows=(
            Row(
                id="mesh.1.p50",
                subject=("mesh",),
                baseline=("triton",),
                metric="p50_us",
                goal=Goal(factor=0.75, at_most=True),
            ),
            Row(id="mesh.1.rest", subject=("mesh",), baseline=("triton REST",), metric="p50_us"),
            Row(
                id="fused.1.p50",
                subject=("fused",),
                baseline=("triton",),
                metric="p50_us",
                goal=Goal(factor=0.5, at_most=True),
            ),
        ),
    ),
    Experiment(
        arms=_open,
        control="triton",
        rows=(
            Row(
                id="mesh.open.held",
                subject=("mesh",),
                baseline=("triton",),
                metric="held_rate",
                goal=Goal(factor=4),
            ),
        ),
    ),
    Experiment(
        arms=_hop,
        control="bare",
        rows=(
            Row(
                id="hop.cpu",
                subject=("mesh",),
                baseline=("bare",),
                metric="hop_cpu_ms",
                baseline_metric="cpu_ms",
                goal=Goal(factor=2.5, at_most=True),
            ),
        ),
    ),
)
