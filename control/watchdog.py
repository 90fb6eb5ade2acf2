"""Notices processes that run but should not go on: silent, with a model that never returns, or too large.

What is to be done is a pure function of what was seen (`judge`); `Watchdog` looks, and has it done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from skysail.control.probe import Probe
from skysail.control.process_limits import HARD_FACTOR, Usage, impose, usage
from skysail.control.schema import Resources

__all__ = ["Seen", "Target", "Verdict", "Watchdog", "judge"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """A process to watch.

    Attributes:
        name: of its unit.
        pid: of the process; None: it does not run now.
        group: units that stand in for one another; empty: none does.
        address: where it answers, "host:port" or "unix:/path"; None: it is not ready to.
        resources: what it may use.
        model: whether it runs a model, which may not return.
    """

    name: str
    pid: int | None
    group: str = ""
    address: str | None = None
    resources: Resources = Resources()
    model: bool = False


@dataclass(frozen=True)
class Seen:
    """A target as it is now.

    Attributes:
        target: who it is.
        silent_s: for how long it has not answered.
        usage: what it uses.
        stuck_s: for how long it has said that its model does not return.
    """

    target: Target
    silent_s: float
    usage: Usage = Usage()
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

    One that has outgrown its memory or its files is asked to end when all of its group are there, so that one
    is replaced after the other; far beyond the limit of memory it does not matter who else is there.
    """
    everyone = list(seen)
    away = {one.target.group for one in everyone if one.target.address is None}
    verdicts = []
    for one in everyone:
        target, too_much = one.target, _too_much(one)
        # Of one that has never been ready nothing is known. One that was may have lost its place in the store
        # for the very reason that it hangs.
        if one.silent_s >= hung_after_s:
            verdicts.append(Verdict(target.name, f"it has not answered for {one.silent_s:.0f} s", kill=True))
        elif one.stuck_s >= hung_after_s:
            why = f"its model has not returned for {one.stuck_s:.0f} s, and nobody waits for it"
            verdicts.append(Verdict(target.name, why, kill=True, trace=True))
        elif too_much and (target.group not in away or not target.group or _far_too_much(one)):
            verdicts.append(Verdict(target.name, too_much))
        else:
            continue
        away.add(target.group)
    return verdicts


def _too_much(seen: Seen) -> str:
    """Which limit it has outgrown; empty if none."""
    used, allowed = seen.usage, seen.target.resources
    if 0 < allowed.memory_mib << 20 < used.memory_bytes:
        return f"it uses {used.memory_bytes >> 20} MiB of memory, its limit is {allowed.memory_mib} MiB"
    if 0 < allowed.open_files < used.open_files:
        return f"it has {used.open_files} open files, its limit is {allowed.open_files}"
    return ""


def _far_too_much(seen: Seen) -> bool:
    limit = seen.target.resources.memory_mib << 20
    return 0 < HARD_FACTOR * limit <= seen.usage.memory_bytes


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
        self._imposed: dict[int, Resources] = {}

    async def run(self) -> None:
        """Watches until cancelled."""
        try:
            while True:
                try:
                    self._look()
                except Exception:
                    # What serves must not end with what watches it.
                    log.exception("the processes could not be looked at")
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
            return Seen(target, 0.0)
        # Until it is ready, again: what a thread may not, those that it starts may not either, from then on.
        if self._imposed.get(target.pid, Resources()) != target.resources:
            impose(target.pid, target.resources)
            if target.address is not None:
                self._imposed[target.pid] = target.resources
        if target.address is not None:
            known = self._watched.get(target.pid)
            if known is None or known.probe.address != target.address:
                self._watched[target.pid] = _Watched(Probe(target.address), heard_s=now_s)
        watched = self._watched.get(target.pid)
        if watched is None:
            return Seen(target, 0.0, usage(target.pid))
        if target.pid not in self._asking:
            asking = self._ask(target.pid, watched, model=target.model)
            self._asking[target.pid] = asyncio.create_task(asking)
        stuck_s = 0.0 if watched.stuck_since_s is None else now_s - watched.stuck_since_s
        return Seen(target, now_s - watched.heard_s, usage(target.pid), stuck_s)

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

    def _forget(self, pids: set[int]) -> None:
        for gone in self._watched.keys() - pids:
            self._watched.pop(gone).probe.close()
        self._imposed = {pid: imposed for pid, imposed in self._imposed.items() if pid in pids}
