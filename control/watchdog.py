"""Notices processes that run but should not go on: silent, with a model that never returns, or too large.

What is to be done is a pure function of what was seen (`judge`); `Watchdog` looks, and has it done.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skysail.control.probe import Probe

__all__ = ["Seen", "Target", "Verdict", "Watchdog", "judge", "used_bytes"]

log = logging.getLogger(__name__)

#: Beyond the limit times this, a process is not waited for, and gets no more memory from the kernel.
HARD_FACTOR = 2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Target:
    """A process to watch.

    Attributes:
        name: of its unit.
        pid: of the process; None: it does not run now.
        group: units that stand in for one another; empty: none does.
        address: where it answers, "host:port" or "unix:/path"; None: it is not ready to.
        memory_bytes: what it may use, resident; 0: no limit.
        model: whether it runs a model, which may not return.
    """

    name: str
    pid: int | None
    group: str = ""
    address: str | None = None
    memory_bytes: int = 0
    model: bool = False


@dataclass(frozen=True)
class Seen:
    """A target as it is now.

    Attributes:
        target: who it is.
        silent_s: for how long it has not answered.
        used_bytes: what it has resident.
        stuck_s: for how long it has said that its model does not return.
    """

    target: Target
    silent_s: float
    used_bytes: int
    stuck_s: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """A process to be replaced, and why.

    `kill`: it would not listen if it were asked to end. `trace`: it can still say where it is.
    """

    name: str
    why: str
    kill: bool = False
    trace: bool = False


def judge(seen: Iterable[Seen], *, hung_after_s: float) -> list[Verdict]:
    """Who must go now.

    One that has outgrown its memory is asked to end when all of its group are there, so that one is replaced
    after the other; far beyond the limit it does not matter who else is there.
    """
    everyone = list(seen)
    away = {one.target.group for one in everyone if one.target.address is None}
    verdicts = []
    for one in everyone:
        target, limit = one.target, one.target.memory_bytes
        # Of one that has never been ready nothing is known. One that was may have lost its place in the store
        # for the very reason that it hangs.
        if one.silent_s >= hung_after_s:
            verdicts.append(Verdict(target.name, f"it has not answered for {one.silent_s:.0f} s", kill=True))
        elif one.stuck_s >= hung_after_s:
            why = f"its model has not returned for {one.stuck_s:.0f} s, and nobody waits for it"
            verdicts.append(Verdict(target.name, why, kill=True, trace=True))
        elif 0 < limit < one.used_bytes:
            if target.group and target.group in away and one.used_bytes < HARD_FACTOR * limit:
                continue
            why = f"it uses {one.used_bytes >> 20} MiB of memory, its limit is {limit >> 20} MiB"
            verdicts.append(Verdict(target.name, why))
        else:
            continue
        away.add(target.group)
    return verdicts


@dataclass
class _Watched:
    """What is known of a process that was ready once; it may have lost its place in the store since."""

    probe: Probe
    heard_s: float
    stuck_since_s: float | None = None


class Watchdog:
    """Looks at every target each `interval_s`; used on one asyncio loop.

    Args:
        targets: what to watch now, those of a group together even while some are away.
        act: replaces a process.
        hung_after_s: how long a process may answer nothing. Lower notices sooner, and takes a machine that is
            very busy for a hung process.
    """

    def __init__(
        self,
        targets: Callable[[], Iterable[Target]],
        act: Callable[[Verdict], None],
        *,
        hung_after_s: float,
        interval_s: float = 1.0,
    ) -> None:
        self._targets = targets
        self._act = act
        self._hung_after_s = hung_after_s
        self._interval_s = interval_s
        self._watched: dict[int, _Watched] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._limits: dict[int, int] = {}

    async def run(self) -> None:
        """Watches until cancelled."""
        try:
            while True:
                self._look()
                await asyncio.sleep(self._interval_s)
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)
            self._forget(set())

    def _look(self) -> None:
        targets = list(self._targets())
        self._forget({target.pid for target in targets if target.pid is not None})
        seen = [self._see(target, time.monotonic()) for target in targets]
        for verdict in judge(seen, hung_after_s=self._hung_after_s):
            self._act(verdict)

    def _see(self, target: Target, now_s: float) -> Seen:
        if target.pid is None:
            return Seen(target, 0.0, 0)
        self._limit(target.pid, target.memory_bytes)
        if target.address is not None:
            known = self._watched.get(target.pid)
            if known is None or known.probe.address != target.address:
                self._watched[target.pid] = _Watched(Probe(target.address), heard_s=now_s)
        watched = self._watched.get(target.pid)
        if watched is None:
            return Seen(target, 0.0, used_bytes(target.pid))
        if target.pid not in self._asking:
            asking = self._ask(target.pid, watched, model=target.model)
            self._asking[target.pid] = asyncio.create_task(asking)
        stuck_s = 0.0 if watched.stuck_since_s is None else now_s - watched.stuck_since_s
        return Seen(target, now_s - watched.heard_s, used_bytes(target.pid), stuck_s)

    async def _ask(self, pid: int, watched: _Watched, *, model: bool) -> None:
        try:
            async with asyncio.timeout(self._hung_after_s):
                healthy = await (watched.probe.is_healthy() if model else watched.probe.answers())
            watched.heard_s = time.monotonic()
            if healthy:
                watched.stuck_since_s = None
            elif watched.stuck_since_s is None:
                watched.stuck_since_s = watched.heard_s
        except (OSError, TimeoutError):
            pass
        finally:
            del self._asking[pid]

    def _limit(self, pid: int, memory_bytes: int) -> None:
        """Lets the kernel refuse what is far beyond the limit, which a model meets as a MemoryError."""
        if self._limits.get(pid, 0) == memory_bytes:
            return
        with suppress(OSError):  # it has ended
            _, most = resource.prlimit(pid, resource.RLIMIT_DATA)
            bound = HARD_FACTOR * memory_bytes or most
            resource.prlimit(pid, resource.RLIMIT_DATA, (bound, most))
        self._limits[pid] = memory_bytes

    def _forget(self, pids: set[int]) -> None:
        for gone in self._watched.keys() - pids:
            self._watched.pop(gone).probe.close()
        self._limits = {pid: limit for pid, limit in self._limits.items() if pid in pids}


def used_bytes(pid: int) -> int:
    """What a process has resident; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
