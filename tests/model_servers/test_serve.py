"""`skysail serve-model` as a process: what it says when it cannot start."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

MODEL = """
class Same:
    inputs = outputs = ["x:FP32:[-1]"]

    def predict(self, inputs):
        return inputs
"""


def refusal(folder: Path, *options: str) -> str:
    """The one sentence on the terminal."""
    (folder / "same.py").write_text(MODEL)
    done = subprocess.run(
        [sys.executable, "-m", "skysail.cli.main", "serve-model", str(folder / "same.py:Same"), *options],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("skysail: ") and done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:99999"])
def test_wrong_address_is_refused_by_option(tmp_path: Path, address: str) -> None:
    assert f"--listen: '{address}' is not an address" in refusal(tmp_path, "--listen", address)


def test_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refusal(tmp_path, "--listen", address)
    assert "--listen: " in said and address in said


def test_wrong_limit_is_refused_by_name(tmp_path: Path) -> None:
    assert "--limit max_connections: must be a whole number between 1 and" in refusal(
        tmp_path, "--limit", "max_connections=0"
    )
