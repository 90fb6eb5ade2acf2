"""Every process of a running mesh after very many calls: memory, threads and descriptors as they were.

`make soak` makes a million calls of each kind. What one process keeps in its own heap is shown, exactly, in
native/steady; here the processes are whole, Python and the model's code included.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bodies, processes
from benchmarks.build import build
from benchmarks.load import BUILD
from tests.e2e.conftest import Mesh, until

MODEL = """
class Sum:
    inputs = ["x:FP32:[-1,16]"]
    outputs = ["y:FP32:[-1,1]"]

    def load(self, path):
        pass

    def predict(self, inputs):
        return {"y": inputs["x"].sum(axis=1, keepdims=True)}
"""
CALLS = 1_000_000 if "SKYSAIL_SOAK" in os.environ else 60_000
CONNECTIONS = 1000
# What is resident moves with the arenas of malloc, one a thread, and those of Python: by 256 KiB at most in
# a million calls of each kind. This finds a leak of 70 bytes a call with 60,000 calls, of 4 with a million.
MOST_GROWTH_BYTES = 4 << 20


def held(mesh: Mesh) -> dict[str, tuple[int, int, int]]:
    """Resident bytes, threads and descriptors of each process but etcd's, which is not ours."""
    return {
        name: (
            processes.rss_bytes(pid),
            len(os.listdir(f"/proc/{pid}/task")),
            len(os.listdir(f"/proc/{pid}/fd")),
        )
        for name, pid in mesh.processes().items()
        if name != "etcd"
    }


def as_before(mesh: Mesh, before: dict[str, tuple[int, int, int]], said: Callable[[str], None]) -> bool:
    """Whether no process has more than `before`; what has is told to `said`."""
    grown = {
        name: (before[name], now)
        for name, now in held(mesh).items()
        if now[0] > before[name][0] + MOST_GROWTH_BYTES
        or now[1] > before[name][1]
        or now[2] > before[name][2]
    }
    said(f"before and now: {grown}")
    return not grown


def test_a_mesh_is_as_it_was_after_many_calls_and_connections(either: Mesh, tmp_path: Path) -> None:
    build("loadgen")
    (tmp_path / "sum.py").write_text(MODEL)
    rows, sums = bodies.trivial_rows(64)
    files = {}
    for name, cache in (("flat", "off"), ("kept", "on")):
        either.ok("deploy", name, f"{tmp_path / 'sum.py'}:Sum", f"--cache={cache}", "--slo-ms=20000")
        files[name] = bodies.write_grpc(tmp_path / name, model=name, tensor="x", rows=rows, answers=sums)

    def load(name: str, *options: str) -> None:
        command = [str(BUILD / "loadgen"), "--target", either.grpc, "--bodies", str(files[name].path)]
        limits = ["--warmup-s", "0", "--duration-s", "900", *options]
        done = subprocess.run([*command, *limits], capture_output=True, text=True, timeout=960)
        report: dict[str, Any] = json.loads(done.stdout)
        assert (report["failed"], report["wrong"]) == (0, 0), report

    def calls(count: int) -> None:
        many = ("--connections", "4", "--streams", "16", "--count")
        load("flat", *many, str(count), "--vary", str(files["flat"].raw_offset))  # all distinct
        load("kept", *many, str(count))  # all but 64 known

    def connections(count: int) -> None:
        for _ in range(count // 100):
            load("kept", "--connections", "100", "--streams", "1", "--count", "200")

    calls(CALLS // 3)
    connections(CONNECTIONS // 5)
    before = held(either)
    calls(CALLS)
    connections(CONNECTIONS)
    told: list[str] = []
    try:
        until(lambda: as_before(either, before, told.append), timeout_s=10)  # the last connections close
    except AssertionError:
        pytest.fail(told[-1])
