"""Down and up, crashes of the supervisor, the foreground: what was deployed comes back, nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from skysail.control.home import Home
from tests.e2e.conftest import Mesh, until
from tests.e2e.test_commands import constant


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Mesh]:
    mesh = Mesh(tmp_path / "home")
    yield mesh
    mesh.cli("down")


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_was_deployed_comes_back_after_down_and_up(own: Mesh, tmp_path: Path) -> None:
    own.up("--fused")
    own.ok("deploy", "kept", constant(tmp_path, "4"))
    address, pids = own.grpc, list(own.processes().values())
    own.ok("down")
    assert all(gone(pid) for pid in pids)
    assert list(Home(own.home).sockets.iterdir()) == []
    own.up()
    assert own.grpc == address
    assert own.json("predict", "kept", "[[1]]")["outputs"]["y"] == [4.0]


def test_next_up_takes_over_what_a_killed_supervisor_left_serving(own: Mesh, tmp_path: Path) -> None:
    own.up("--fused")
    own.ok("deploy", "kept", constant(tmp_path, "4"))
    before = own.processes()
    kill_supervisor(own)
    assert not any(gone(pid) for pid in before.values())
    own.up("--fused")
    assert own.processes() == before
    kill_supervisor(own)
    own.ok("down")
    assert all(gone(pid) for pid in before.values())


def kill_supervisor(mesh: Mesh) -> None:
    pid = json.loads((mesh.home / "run" / "processes" / "supervisor.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))


def test_ctrl_c_ends_the_foreground_and_everything_with_it(own: Mesh) -> None:
    command = [sys.executable, "-m", "skysail.cli.main", "up", "--fused", "--foreground", "--json"]
    with subprocess.Popen(
        command,
        env={**os.environ, "SKYSAIL_HOME": str(own.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "grpc" in process.stdout.readline()
        pids = list(own.processes().values())
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert all(gone(pid) for pid in pids)
    assert own.cli("status").returncode == 1


def test_etcd_of_others_is_used_and_left_running(own: Mesh, tmp_path: Path, etcd: str) -> None:
    own.up("--fused", "--etcd", etcd)
    own.ok("deploy", "kept", constant(tmp_path, "4"))
    assert "etcd" not in own.processes()
    assert own.json("status")["etcd"] == etcd
    own.ok("down")
    own.up("--fused", "--etcd", etcd)
    assert own.json("predict", "kept", "[[1]]")["outputs"]["y"] == [4.0]


def test_replica_that_cannot_come_back_does_not_hold_up_the_others(own: Mesh, tmp_path: Path) -> None:
    own.up("--fused")
    own.ok("deploy", "kept", constant(tmp_path, "4"))
    digest = own.json("deploy", "spoilt", constant(tmp_path, "5"))["digest"]
    own.ok("down")
    spoilt = own.home / "artefacts" / digest.removeprefix("sha256:") / "model" / "constant.py"
    spoilt.write_text(spoilt.read_text().replace("5", "6"))
    said = own.cli("up", "--fused")
    assert said.returncode == 0
    assert "going on without spoilt@1@0" in said.stderr
    assert "was changed after it was deployed" in said.stderr
    assert own.json("predict", "kept", "[[1]]")["outputs"]["y"] == [4.0]
    assert own.cli("predict", "spoilt", "[[1]]").returncode == 1
