"""The load generator, built, and servers for it to load."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import bodies, processes
from benchmarks.build import build
from benchmarks.load import BUILD

Report = dict[str, Any]


@pytest.fixture(scope="session")
def programs() -> Path:
    build("loadgen", "wrong_server")
    return BUILD


@pytest.fixture(scope="session")
def body_file(tmp_path_factory: pytest.TempPathFactory) -> bodies.BodyFile:
    rows, sums = bodies.trivial_rows(64)
    path = tmp_path_factory.mktemp("bodies") / "trivial.bin"
    return bodies.write_grpc(path, model="m", tensor="x", rows=rows, answers=sums)


@pytest.fixture
def loadgen(programs: Path, body_file: bodies.BodyFile) -> Callable[..., Report]:
    """Runs the load generator to its end and returns what it printed."""

    def run(target: str, *options: str, file: Path | None = None) -> Report:
        command = [str(programs / "loadgen"), "--target", target, "--bodies", str(file or body_file.path)]
        brief = ["--warmup-s", "0", "--duration-s", "0.3", "--drain-s", "0.5"]
        done = subprocess.run([*command, *brief, *options], capture_output=True, text=True, timeout=30)
        assert done.stdout, done.stderr
        report: Report = json.loads(done.stdout)
        return report

    return run


@pytest.fixture
def wrong_server(programs: Path) -> Iterator[Callable[..., str]]:
    """Starts a server that is wrong in one way; returns its address."""
    with contextlib.ExitStack() as stack:

        def start(mode: str, every: int) -> str:
            command = [str(programs / "wrong_server"), mode, str(every)]
            return stack.enter_context(processes.announcing_server(command))[0]

        yield start
