"""Two running meshes for all tests here, one of separate processes and one fused: real etcd, real models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

PROBE = '''
import os
import numpy as np

class Probe:
    """Row sums; tells apart what it was asked, and misbehaves on demand."""

    inputs = ["x:FP32:[-1,16]"]
    outputs = ["y:FP32:[-1]"]
    max_rows = 512

    def load(self, path):
        self.calls = path

    def predict(self, inputs):
        x = inputs["x"]
        with open(self.calls, "ab") as calls:
            calls.write(b"." * len(x))
        if (x[:, 0] == -1).any():
            raise ValueError("a row begins with -1")
        if (x[:, 0] == -2).any():
            return {"y": np.zeros(len(x) + 1, np.float32)}
        if (x[:, 0] == -3).any():
            os._exit(3)
        return {"y": x.sum(axis=1)}
'''


@dataclass
class Mesh:
    """A home, and the command line in it."""

    home: Path
    grpc: str = ""
    http: str = ""
    calls: Path = field(default_factory=Path)

    def cli(self, *arguments: str, timeout_s: float = 120.0, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "skysail.cli.main", *arguments],
            env={**os.environ, "SKYSAIL_HOME": str(self.home), **env},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )

    def ok(self, *arguments: str, **env: str) -> str:
        done = self.cli(*arguments, **env)
        assert done.returncode == 0, f"skysail {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "--json"))

    def up(self, *options: str) -> None:
        ready = self.json("up", *options)
        self.grpc, self.http = ready["frontend"]["grpc"], ready["frontend"]["http"]

    def rows_seen(self) -> int:
        """How many rows the probe has been asked, all replicas together."""
        return self.calls.stat().st_size

    def processes(self) -> dict[str, int]:
        return {one["name"]: one["pid"] for one in self.json("status")["processes"]}


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LogisticRegression, np.ndarray]:
    """A trained model's artefact, the model itself, and images that it has not seen."""
    x, y = load_digits(return_X_y=True)
    model = LogisticRegression(max_iter=3000).fit(x[:1200], y[:1200])
    path = tmp_path_factory.mktemp("digits") / "digits.joblib"
    joblib.dump(model, path)
    return path, model, x[1200:]


def start(home: Path, digits: Path, *options: str) -> Mesh:
    # Apart from the model's file, because the file is written to while it is served.
    mesh = Mesh(home)
    mesh.calls = home.parent / "calls"
    mesh.calls.touch()
    probe = home.parent / "probe.py"
    probe.write_text(PROBE.replace("self.calls = path", f"self.calls = {str(mesh.calls)!r}"))
    mesh.up(*options)
    mesh.ok("deploy", "digits", str(digits), "--replicas", "2")
    mesh.ok("deploy", "probe", f"{probe}:Probe", "--cache=off", "--replicas=2", "--slo-ms=10000")
    return mesh


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory, digits: tuple[Path, Any, Any]) -> Iterator[Mesh]:
    """Frontend, selector and batcher as processes of their own."""
    running = start(tmp_path_factory.mktemp("mesh") / "home", digits[0])
    yield running
    running.ok("down")


@pytest.fixture(scope="session")
def fused(tmp_path_factory: pytest.TempPathFactory, digits: tuple[Path, Any, Any]) -> Iterator[Mesh]:
    """Frontend, selector and batcher in one process."""
    running = start(tmp_path_factory.mktemp("fused") / "home", digits[0], "--fused")
    yield running
    running.ok("down")


@pytest.fixture(params=["mesh", "fused"])
def either(request: pytest.FixtureRequest) -> Mesh:
    """Each of the two in turn."""
    found: Mesh = request.getfixturevalue(request.param)
    return found


def until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Waits for something that another process does."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.05)
