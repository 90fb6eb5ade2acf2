"""Whether a mesh runs in a home, and where to reach it."""

from __future__ import annotations

import fcntl
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from skysail.control.errors import FailedPrecondition, Timeout
from skysail.control.home import Home
from skysail.control.launcher import Launcher, find_process

__all__ = ["RunningMesh", "hold", "is_running", "running_mesh", "stop_leftovers", "stop_mesh"]


@contextmanager
def hold(home: Home) -> Iterator[None]:
    """Holds a home for one supervisor, for as long as the block lasts.

    Raises:
        FailedPrecondition: another one holds it.
    """
    with (home.run / "lock").open("w") as file:
        try:
            # Held by the open file, so it goes when the process goes, however that ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailedPrecondition(
                f"Skysail is running already in {home.root}; "
                "`skysail status` shows it, `skysail down` stops it"
            ) from None
        yield


def is_running(home: Home) -> bool:
    """Whether a supervisor holds this home."""
    if not (home.root / "run" / "lock").exists():
        return False
    try:
        with hold(home):
            return False
    except FailedPrecondition:
        return True


@dataclass(frozen=True)
class RunningMesh:
    """Where a running mesh is reached."""

    grpc: str
    http: str
    metrics: str
    etcd: str
    fused: bool
    pid: int
    started_at_s: float


def running_mesh(home: Home) -> RunningMesh:
    """The mesh that runs in this home.

    Raises:
        FailedPrecondition: there is none, or it is still starting.
    """
    if not is_running(home):
        raise FailedPrecondition(f"Skysail is not running in {home.root}; start it with `skysail up`")
    record = home.read("mesh")
    if record is None:
        raise FailedPrecondition(f"Skysail is still starting in {home.root}; try again in a moment")
    names = RunningMesh.__dataclass_fields__
    return RunningMesh(**{name: value for name, value in record.items() if name in names})


def stop_mesh(home: Home, *, timeout_s: float = 60.0) -> bool:
    """Asks the supervisor to end and waits until it has; False when there was nothing to stop.

    Raises:
        Timeout: it has not ended in time.
    """
    supervisor = find_process(home, "supervisor") if is_running(home) else None
    if supervisor is None:
        return stop_leftovers(home) > 0
    supervisor.signal(signal.SIGTERM)
    ended = supervisor.wait(timeout_s)
    supervisor.close()
    if not ended:
        raise Timeout(
            f"the supervisor (process {supervisor.pid}) has not ended in {timeout_s:.0f} s; "
            f"its log is {home.log('supervisor')}"
        )
    return True


def stop_leftovers(home: Home, *, grace_s: float = 10.0) -> int:
    """Ends the processes of a supervisor that died; how many there were."""
    launcher = Launcher(home)
    left = sorted(launcher.adopt(), key=lambda process: -process.unit.stage)
    for process in left:
        process.signal(signal.SIGTERM)
    deadline_s = time.monotonic() + grace_s
    for process in left:
        if not process.wait(deadline_s - time.monotonic()):
            process.signal(signal.SIGKILL)
            process.wait(5.0)
        process.close()
        launcher.forget(process.unit.name)
    home.forget("mesh")
    return len(left)
