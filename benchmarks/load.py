"""Runs the load generator beside a server and puts the server's CPU time next to what it saw."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes

BUILD = Path(__file__).resolve().parent.parent / "build" / "benchmarks"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to send.

    Attributes:
        bodies: a file of bodies.
        connections: client connections.
        streams: calls in flight on each, at most.
        rate: Poisson arrivals a second; 0 keeps all streams busy (closed loop).
        duration_s: measured seconds, after ``warmup_s``.
        extra: further options of the load generator.
    """

    bodies: Path
    connections: int = 8
    streams: int = 8
    rate: float = 0
    duration_s: float = 2
    warmup_s: float = 0.4
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one run saw.

    Attributes:
        rate: right answers a second.
        p50_us: median latency; likewise the others. Infinite where calls were never answered.
        refused_p99_us: until a refusal (RESOURCE_EXHAUSTED) came; infinite when there was none.
        failed: calls that ended in an error or were never sent; ``errors`` names them.
        wrong: sampled answers that were not the expected bytes.
        last_wrong_s: when the last of them came, on the system's clock (Unix); None: there was none.
        cpu_ms_per_call: of the server's process tree, in milliseconds a call: CPU seconds per 1,000 calls.
        client_cpu_s: the load generator's own.
        cpu_ms_by_role: ``cpu_ms_per_call`` of the processes whose roles were asked for.
    """

    rate: float
    p50_us: float
    p99_us: float
    max_us: float
    failed: int
    errors: dict[str, int]
    checked: int
    wrong: int
    cpu_ms_per_call: float
    client_cpu_s: float
    last_wrong_s: float | None = None
    refused_p99_us: float = math.inf
    cpu_ms_by_role: dict[str, float] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Every call was answered and every compared answer was right."""
        return self.failed == 0 and self.wrong == 0 and self.checked > 0


def _command(target: str, load: Load) -> list[str]:
    return [
        str(BUILD / "loadgen"),
        *("--target", target, "--bodies", str(load.bodies)),
        *("--connections", str(load.connections), "--streams", str(load.streams)),
        *("--rate", str(load.rate), "--duration-s", str(load.duration_s)),
        *("--warmup-s", str(load.warmup_s), *load.extra),
    ]


def run(target: str, load: Load, *, pids: Sequence[int], roles: Mapping[int, str] | None = None) -> Seen:
    """Loads ``target`` and accounts the CPU time of the process trees that begin at ``pids``.

    Args:
        target: ``host:port``.
        load: what to send.
        pids: roots of the server's process trees.
        roles: processes to account apart, by role.

    Raises:
        RuntimeError: the load generator could not connect, or no call at all was answered.
    """
    roles = roles or {}
    before = processes.cpu_seconds(_trees(pids))
    before_role = {pid: processes.cpu_seconds([pid]) for pid in roles}
    timeout_s = load.warmup_s + load.duration_s + 60
    done = subprocess.run(
        _command(target, load), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    cpu_s = processes.cpu_seconds(_trees(pids)) - before
    if done.returncode != 0:
        raise RuntimeError(f"no answers from {target}: {(done.stderr or done.stdout).strip()[:500]}")
    by_role: dict[str, float] = {}
    for pid, role in roles.items():
        by_role[role] = by_role.get(role, 0) + processes.cpu_seconds([pid]) - before_role[pid]
    report = json.loads(done.stdout)
    latency = {name: math.inf if us is None else us for name, us in report["latency_us"].items()}
    return Seen(
        rate=report["rate"],
        p50_us=latency["p50"],
        p99_us=latency["p99"],
        max_us=latency["max"],
        failed=report["failed"],
        errors=report["errors"],
        checked=report["checked"],
        wrong=report["wrong"],
        cpu_ms_per_call=1000 * cpu_s / report["all_ok"],
        client_cpu_s=report["cpu_s"],
        last_wrong_s=report["last_wrong_s"],
        refused_p99_us=math.inf if report["refused_p99_us"] is None else report["refused_p99_us"],
        cpu_ms_by_role={role: 1000 * cpu_s / report["all_ok"] for role, cpu_s in by_role.items()},
    )


def _trees(pids: Sequence[int]) -> list[int]:
    return sorted({pid for root in pids for pid in processes.tree(root)})
