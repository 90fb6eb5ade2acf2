"""A Skysail of our own, started with the command line as a user would, in a home folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes

_COMMAND = Path(sys.executable).parent / "skysail"
_ROLES = ("frontend", "selector", "batcher", "serve-model", "etcd", "up")


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A running mesh or fused process.

    Attributes:
        grpc: ``host:port`` of the frontend's gRPC service.
        http: ``host:port`` of its REST service.
        home: its ``$SKYSAIL_HOME``.
    """

    grpc: str
    http: str
    home: Path = field(repr=False)

    def deploy(self, name: str, source: str, *options: str) -> None:
        """Deploys a model and waits until it serves."""
        _skysail(self.home, "deploy", name, source, *options)

    def pids(self) -> list[int]:
        """Every process of this installation, its etcd and replicas included."""
        return processes.with_environment("SKYSAIL_HOME", str(self.home))

    def roles(self) -> dict[int, str]:
        """What each process is: the first of its arguments that names a role."""
        found = {}
        for pid in self.pids():
            words = [Path(word).name for word in processes.command_line(pid)]
            found[pid] = next((word for word in words if word in _ROLES), "other")
        return found


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "SKYSAIL_HOME": str(home)}


def _skysail(home: Path, *arguments: str, timeout_s: float = 90) -> str:
    done = subprocess.run(
        [str(_COMMAND), *arguments],
        env=_environment(home),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise RuntimeError(f"skysail {' '.join(arguments)} failed ({done.returncode}): {said}")
    return done.stdout


def _addresses(home: Path, up: subprocess.Popen[str], log: Path, *, timeout_s: float) -> tuple[str, str]:
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        if up.poll() not in (None, 0):
            raise RuntimeError(f"skysail up ended with {up.returncode}: {log.read_text()[-2000:]}")
        with contextlib.suppress(RuntimeError, ValueError, KeyError, TypeError):
            frontend = json.loads(_skysail(home, "status", "--json"))["frontend"]
            if frontend["grpc"] and frontend["http"]:
                return str(frontend["grpc"]), str(frontend["http"])
        time.sleep(0.2)
    raise RuntimeError(f"skysail up has no frontend after {timeout_s} s: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def serving(home: Path, *, fused: bool, options: Sequence[str] = ()) -> Iterator[Mesh]:
    """Runs ``skysail up``, as separate processes or fused, and ``skysail down`` at the end."""
    home.mkdir(parents=True)
    log = home / "up.log"
    command = [str(_COMMAND), "up", *(["--fused"] if fused else []), *options]
    with log.open("w") as log_file:
        up = subprocess.Popen(
            command,
            env=_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        grpc, http = _addresses(home, up, log, timeout_s=60)
        yield Mesh(grpc=grpc, http=http, home=home)
    finally:
        with contextlib.suppress(RuntimeError):
            _skysail(home, "down")
        processes.stop(up, grace_s=20)
