"""A Skysail of our own, started with the command line as a user would, in a home folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes

_COMMAND = Path(sys.executable).parent / "skysail"
_ROLES = ("frontend", "selector", "batcher", "serve-model", "etcd")
_COMMAND_S = 120.0


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

    def command(self, *arguments: str) -> str:
        """Runs a command of this installation; what it printed."""
        return _skysail(self.home, *arguments)

    def sample(self, name: str, part: float) -> None:
        """Has that part of an application's calls traced."""
        file = self.home / f"{name}.yaml"
        file.write_text(f"applications: {{{name}: {{models: [{name}], trace_sampling: {part}}}}}\n")
        _skysail(self.home, "apply", "-f", str(file), "--yes")

    def pids(self) -> list[int]:
        """Every process of this installation, its etcd and replicas included."""
        return processes.with_environment("SKYSAIL_HOME", str(self.home))

    def roles(self) -> dict[int, str]:
        """What each process is: the first of its arguments that names a role; else the supervisor."""
        found = {}
        for pid in self.pids():
            words = [Path(word).name for word in processes.command_line(pid)]
            found[pid] = next((word for word in words if word in _ROLES), "supervisor")
        return found


def _skysail(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Runs the command; what it printed. To a file: what it leaves running may keep a pipe open."""
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [str(_COMMAND), *arguments],
            env={**os.environ, "SKYSAIL_HOME": str(home), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT if arguments[-1] != "--json" else subprocess.DEVNULL,
        )
        try:
            status: int | str = process.wait(_COMMAND_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = f"still running after {_COMMAND_S:g} s"
        said.seek(0)
        text = said.read()
    if status != 0:
        raise RuntimeError(f"skysail {' '.join(arguments)} failed ({status}): {text.strip()[-2000:]}")
    return text


@contextlib.contextmanager
def serving(
    home: Path, *, fused: bool, options: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[Mesh]:
    """Runs ``skysail up``, as separate processes or fused, and ``skysail down`` at the end."""
    home.mkdir(parents=True)
    try:
        _skysail(home, "up", *(["--fused"] if fused else []), *options, env=env)
        frontend = json.loads(_skysail(home, "status", "--json"))["frontend"]
        yield Mesh(grpc=frontend["grpc"], http=frontend["http"], home=home)
    finally:
        with contextlib.suppress(RuntimeError):
            _skysail(home, "down")
