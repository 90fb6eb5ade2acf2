"""One mesh under load for all faults: two replicas of a model that can be told to misbehave, a real etcd."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from skysail.control.home import Home
from skysail.proto import admin_pb2, admin_pb2_grpc
from tests.e2e.conftest import Mesh, until
from tests.faults.load import Load

OBJECTIVE_S = 1.0
#: What the caller's own thread may need before it sees an answer, on a busy machine.
SEEN_LATE_S = 0.5
MODEL = "sum"
HUNG_AFTER_S = 6.0
#: A replica of this model has a little over 100 MiB by itself.
MEMORY_MIB = 400
OPEN_FILES = 256
NICE = 1


@dataclass
class Faults:
    """A mesh, and what can be done to it."""

    mesh: Mesh
    told: Path

    def pid(self, unit: str) -> int:
        """The process of a unit that runs."""
        pid = self.units()[unit]["pid"]
        assert isinstance(pid, int), f"{unit} does not run"
        return pid

    def units(self) -> dict[str, Any]:
        """What the supervisor knows of each process."""
        return Home(self.mesh.home).read("units") or {}

    def restarted(self, unit: str, pid: int) -> bool:
        """Whether another process has taken the place of `pid`."""
        return self.units().get(unit, {}).get("pid") not in (pid, None)

    def supervisor(self) -> int:
        """The process that started all others."""
        pid: int = (Home(self.mesh.home).read("mesh") or {})["pid"]
        return pid

    def replica(self, slot: int) -> int:
        """The process of one of the replicas."""
        return self.pid(f"{MODEL}@1@{slot}")

    @contextmanager
    def misbehaving(self, pid: int, how: str) -> Iterator[None]:
        """Tells one replica what to do while the block runs; see `model`."""
        order = self.told / str(pid)
        partial = order.with_suffix(".partial")
        partial.write_text(how)
        partial.replace(order)
        try:
            yield
        finally:
            order.unlink()

    def version(self) -> dict[str, Any]:
        """What `skysail status` says of the model's version."""
        return self._version(self.mesh.json("status"))

    @staticmethod
    def _version(status: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = next(one for one in status["versions"] if one["model"] == MODEL)
        return found

    def stats(self, role: str) -> dict[str, Any]:
        """What the instance of a role says of itself."""
        services = self.mesh.json("status")["services"]
        address = next(one["address"] for one in services if one["role"] == role)
        with grpc.insecure_channel(address) as channel:
            answer = admin_pb2_grpc.AdminStub(channel).GetStats(admin_pb2.GetStatsRequest(), timeout=5)
        found: dict[str, Any] = json.loads(answer.stats_json)
        return found

    def whole(self) -> bool:
        """Whether both replicas are in rotation, and etcd is there to say so."""
        asked = self.mesh.cli("status", "--json")
        return asked.returncode == 0 and self._version(json.loads(asked.stdout))["ready"] == 2

    def ended(self, unit: str) -> str:
        """How the process of a unit ended latest."""
        found: str = self.units()[unit]["last_end"]
        return found

    def load(self, rate_per_s: float = 200.0) -> Load:
        """Callers of the model."""
        return Load(self.mesh.grpc, MODEL, rate_per_s=rate_per_s)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    folder = tmp_path_factory.mktemp("faults")
    told = folder / "told"
    told.mkdir()
    source = Path(__file__).with_name("model.py").read_text()
    (folder / "model.py").write_text(source.replace("{FAULTS}", str(told)))
    mesh = Mesh(folder / "home")
    mesh.up(f"--hung-after-s={HUNG_AFTER_S:g}")
    deploy = (
        "deploy",
        MODEL,
        f"{folder / 'model.py'}:Sum",
        "--cache=off",
        "--replicas=2",
        f"--memory={MEMORY_MIB}MiB",
        f"--open-files={OPEN_FILES}",
        f"--nice={NICE}",
    )
    mesh.ok(*deploy, f"--slo-ms={OBJECTIVE_S * 1000:g}")
    yield Faults(mesh, told)
    mesh.ok("down")


@pytest.fixture
def faults(running: Faults) -> Faults:
    """The mesh as it should be: both replicas in rotation, all services there."""
    until(running.whole)
    return running


def steady(load: Load, calls: int = 100) -> None:
    """Waits until so many more calls have been answered with a prediction."""
    seen = load.answered()
    until(lambda: load.answered() >= seen + calls)


def check(load: Load, *allowed: str) -> None:
    """What holds of every fault: right answers, in time, and no other errors than `allowed`."""
    assert set(load.statuses()) <= {"OK", *allowed}, [
        one for one in load.failures() if one.status not in allowed
    ]
    assert all(one.right for one in load.outcomes)
    late = [one for one in load.outcomes if one.status == "OK" and one.took_s > OBJECTIVE_S + SEEN_LATE_S]
    assert late == []


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that the kernel does not run, while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
