"""What a tree of processes costs, read from /proc; and starting servers that announce their port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on (state, ppid, ...); None once the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of the processes and of their children that have been waited for."""
    ticks = 0
    for pid in pids:
        if (fields := _stat(pid)) is not None:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_PER_S


def rss_bytes(pid: int) -> int:
    """Resident memory; 0 once the process is gone."""
    fields = _stat(pid)
    return int(fields[21]) * _PAGE_BYTES if fields is not None else 0


def command_line(pid: int) -> list[str]:
    """The arguments with which a process was started; empty once it is gone."""
    try:
        text = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [part.decode(errors="replace") for part in text.split(b"\0") if part]


def with_environment(name: str, value: str) -> list[int]:
    """The processes, but for zombies, that were started with this environment variable."""
    wanted = f"{name}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return sorted(found)


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot be given port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop(process: subprocess.Popen[str], *, grace_s: float = 10) -> None:
    """Asks the process to end, and makes it end when it does not within ``grace_s`` seconds."""
    if process.stdin is not None:
        process.stdin.close()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextlib.contextmanager
def announcing_server(
    command: Sequence[str], *, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int]]:
    """Runs a server that prints its port in one line and ends with its stdin.

    Yields:
        Its ``host:port`` and process id.
    """
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(env) if env else None
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port.isdigit():
            raise RuntimeError(f"{command[0]} ended or printed {port!r} where its port was expected")
        yield f"127.0.0.1:{port}", process.pid
    finally:
        stop(process)


def wait_until_listening(port: int, process: subprocess.Popen[str], *, timeout_s: float = 60) -> None:
    """Returns when the port accepts connections; raises when the process ends or time runs out first."""
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port} after {timeout_s} s")


@contextlib.contextmanager
def core_apart(apart: Collection[int], others: Collection[int]) -> Iterator[None]:
    """Gives the processes ``apart`` a core that the ``others``, and this one with its children, keep off.

    So that who shares a core with whom is no part of what is measured. With one core nothing is changed.
    """
    cores = os.sched_getaffinity(0)
    own = {max(cores)}
    everyone = [*others, os.getpid()]
    try:
        _allow(apart, own)
        _allow(everyone, cores - own or own)
        yield
    finally:
        _allow([*apart, *everyone], cores)


def _allow(pids: Collection[int], cores: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), cores)
