"""Builds the load generator and the reference servers when their sources are newer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.load import BUILD

_SOURCE = Path(__file__).resolve().parent


def build(*targets: str) -> None:
    """Configures once and builds the targets (all of them when none is named).

    Raises:
        RuntimeError: the build failed; its last lines are in the message.
    """
    if not (BUILD / "build.ninja").exists():
        compiler = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        _run(["cmake", "-S", str(_SOURCE), "-B", str(BUILD), "-G", "Ninja", *compiler])
    jobs = str(os.cpu_count() or 1)
    chosen = ["--target", *targets] if targets else []
    _run(["cmake", "--build", str(BUILD), "-j", jobs, *chosen])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise RuntimeError(f"{' '.join(command)} failed:\n{tail}")
