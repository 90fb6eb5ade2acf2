"""Starts processes, finds them again, and stops only what it started.

A process is known by its pid together with its start time, so a pid that the system gave to somebody else is
never taken for ours, and it is held by a pidfd, so a signal cannot reach a stranger. Each start leaves a
record in `$SKYSAIL_HOME/run/processes/`; a supervisor that comes after a crash adopts what the record still
describes.
"""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from skysail.control.home import Home

__all__ = ["SINGLE_THREADED", "Launcher", "Process", "Unit", "find_process", "start_ticks"]

# Blocks of up to 32 KB are made and dropped with every call. With these settings glibc keeps them for the
# thread instead of merging and splitting them each time: a quarter less CPU per call of a service, measured.
_ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=256:glibc.malloc.tcache_max=32768"}

# One thread for each numeric library: replicas are the parallelism, and libraries that each take every core
# for a batch of 64 rows slow one another down. Set before a process starts because they read them when first
# imported.
SINGLE_THREADED = {
    name: "1"
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "BLIS_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    )
}


@dataclass(frozen=True)
class Unit:
    """One process that should run.

    Attributes:
        name: unique among the units; names the log and the record.
        argv: the command; `{start}` in an argument becomes a token that is unique to each start.
        env: variables set over the inherited environment.
        stage: what needs others has a higher stage than they; the highest stage is stopped first.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stage: int = 0


@dataclass(frozen=True)
class Process:
    """A process that runs or ran: `pidfd` turns readable when it ends, and is closed by `close`."""

    unit: Unit
    pid: int
    start_ticks: int
    started_at_s: float
    pidfd: int

    def alive(self) -> bool:
        """Whether the process still runs."""
        return not select.select([self.pidfd], [], [], 0)[0]

    def wait(self, timeout_s: float) -> bool:
        """Waits for the end; whether it came."""
        return bool(select.select([self.pidfd], [], [], max(0.0, timeout_s))[0])

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; nothing happens when the process has ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> int | None:
        """The exit status (negative: the signal) of an ended child; None for a process that was adopted."""
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        return None

    def close(self) -> None:
        """Lets go of the process without stopping it."""
        with suppress(OSError):
            os.close(self.pidfd)


def start_ticks(pid: int) -> int | None:
    """When the process started, in the kernel's ticks since boot; None when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The second field is the command's name in parentheses, which may itself hold spaces and parentheses.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def find_process(home: Home, name: str) -> Process | None:
    """The running process that the record of that name describes."""
    record = home.read(f"processes/{name}")
    if record is None:
        return None
    try:
        pid, ticks = int(record["pid"]), int(record["start_ticks"])
        unit = Unit(name, tuple(record["argv"]), dict(record["env"]), int(record["stage"]))
        started_at_s = float(record["started_at_s"])
        pidfd = os.pidfd_open(pid)
    except (KeyError, TypeError, ValueError, OSError):
        return None
    # Looked at after the pidfd is held: from here on the pid cannot change hands unnoticed.
    if start_ticks(pid) != ticks:
        os.close(pidfd)
        return None
    return Process(unit, pid, ticks, started_at_s, pidfd)


class Launcher:
    """Starts units as processes of a session of their own, with their output in `logs/<name>.log`."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def start(self, unit: Unit, *, pass_fds: tuple[int, ...] = ()) -> Process:
        """Starts a unit.

        Raises:
            OSError: the command cannot be started.
        """
        argv = tuple(part.replace("{start}", secrets.token_hex(4)) for part in unit.argv)
        environment = {
            **_ALLOCATOR,
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            **unit.env,
            "SKYSAIL_HOME": str(self._home.root),
        }
        with self._home.log(unit.name).open("ab") as log:
            log.write(f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} start\n".encode())
            log.flush()
            child = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        # From here on the pidfd stands for the child; Popen would warn when it is collected unfinished.
        child.returncode = 0
        pidfd = os.pidfd_open(child.pid)
        process = Process(unit, child.pid, start_ticks(child.pid) or 0, time.time(), pidfd)
        self.record(process)
        return process

    def record(self, process: Process) -> None:
        """Writes what `find_process` needs."""
        self._home.write(
            f"processes/{process.unit.name}",
            {
                "pid": process.pid,
                "start_ticks": process.start_ticks,
                "started_at_s": process.started_at_s,
                "argv": list(process.unit.argv),
                "env": dict(process.unit.env),
                "stage": process.unit.stage,
            },
        )

    def forget(self, name: str) -> None:
        """Removes the record of a process that has ended."""
        self._home.forget(f"processes/{name}")

    def adopt(self) -> Iterator[Process]:
        """The processes of an earlier supervisor that still run; records of those that do not are removed."""
        for path in sorted((self._home.run / "processes").glob("*.json")):
            if path.stem == "supervisor":
                continue
            process = find_process(self._home, path.stem)
            if process is None:
                self.forget(path.stem)
            else:
                yield process

    def tail(self, name: str, lines: int = 40) -> list[str]:
        """The last lines that a process printed since its latest start."""
        try:
            with self._home.log(name).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 65536))
                text = log.read().decode(errors="replace").splitlines()
        except OSError:
            return []
        starts = [i for i, line in enumerate(text) if line.startswith("--- ") and line.endswith(" start")]
        return text[starts[-1] + 1 if starts else 0 :][-lines:]
