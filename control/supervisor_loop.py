"""Carries out what `supervisor.decide` decides: starts, signals, watches and restarts processes."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from skysail.control.launcher import Launcher, Process, Unit
from skysail.control.supervisor import BackOff, Observed, decide, ended

__all__ = ["Supervisor"]

log = logging.getLogger(__name__)


@dataclass
class _Held:
    state: Observed
    process: Process | None


class Supervisor:
    """Keeps the processes as `desired` says they should be.

    Runs on one asyncio loop and is not thread-safe. `step` may also be called by hand.
    """

    def __init__(
        self,
        launcher: Launcher,
        desired: Callable[[], Iterable[Unit]],
        *,
        back_off: BackOff | None = None,
        grace_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
        on_step: Callable[[], None] = lambda: None,
        on_end: Callable[[Process], None] = lambda _: None,
    ) -> None:
        self._launcher = launcher
        self._back_off = back_off or BackOff()
        self._grace_s = grace_s
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._changed = asyncio.Event()
        self._target = desired
        self._on_step = on_step
        self._on_end = on_end

    def adopt(self) -> int:
        """Takes over what an earlier supervisor left running; how many processes that were."""
        found = list(self._launcher.adopt())
        for process in found:
            self._hold(process)
        return len(found)

    def running(self) -> dict[str, Process]:
        """The processes that live, by unit name."""
        return {name: held.process for name, held in self._held.items() if held.process is not None}

    def observed(self) -> dict[str, Observed]:
        """What is known of each unit. On any thread."""
        return {name: held.state for name, held in list(self._held.items())}

    def wake(self) -> None:
        """Says that what is desired may have changed."""
        self._changed.set()

    def condemn(self, name: str, why: str, *, kill: bool = False, trace: bool = False) -> None:
        """Ends a unit's process, which counts as a failure: another one is started after the back-off.

        Args:
            name: of the unit; nothing happens when its process is ending already.
            why: for the log and `observed`.
            kill: do not ask first.
            trace: let it say in its log where it is, which it does as it aborts.
        """
        held = self._held.get(name)
        if held is None or held.process is None or held.state.stopping_s is not None:
            return
        log.warning("replacing %s: %s", name, why)
        held.state = replace(held.state, condemned=why, stopping_s=self._clock())
        if trace:
            held.process.signal(signal.SIGABRT)
        else:
            self._signal(name, kill=kill)
        self.wake()

    def step(self) -> float | None:
        """Takes one step; when to take the next one (monotonic) if nothing happens before."""
        for name, held in self._held.items():
            if held.process is not None and not held.process.alive():
                self._note_end(name, held)
        decision = decide(
            self._target(),
            {name: held.state for name, held in self._held.items()},
            now_s=self._clock(),
            grace_s=self._grace_s,
        )
        for name in decision.forget:
            del self._held[name]
        for name in (*decision.stop, *decision.kill):
            self._signal(name, kill=name in decision.kill)
        for unit in decision.start:
            self._start(unit)
        self._on_step()
        return decision.ask_again_s

    async def run(self) -> None:
        """Steps whenever something has happened, until cancelled; leaves the processes as they are."""
        while True:
            self._changed.clear()
            again = self.step()
            timeout = None if again is None else max(0.01, again - self._clock())
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Ends everything, the highest stage first, each stage when the one above is gone."""
        for stage in sorted({held.state.unit.stage for held in self._held.values()}, reverse=True):
            below = [held.state.unit for held in self._held.values() if held.state.unit.stage < stage]
            self._target = partial(tuple, below)
            while any(h.process is not None and h.state.unit.stage >= stage for h in self._held.values()):
                self._changed.clear()
                self.step()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.1)
                except TimeoutError:
                    continue

    def _start(self, unit: Unit) -> None:
        previous = self._held.get(unit.name)
        before = previous.state if previous is not None else Observed(unit, running=False, started_s=0.0)
        try:
            process = self._launcher.start(unit)
        except OSError as error:
            log.error("cannot start %s: %s", unit.name, error)
            now_s = self._clock()
            state = replace(before, unit=unit, running=True, started_s=now_s, stopping_s=None)
            how = f"it could not be started: {error}"
            self._held[unit.name] = _Held(ended(state, now_s=now_s, back_off=self._back_off, how=how), None)
            self._changed.set()
            return
        log.info("started %s as process %d", unit.name, process.pid)
        self._hold(process, before)

    def _hold(self, process: Process, before: Observed | None = None) -> None:
        state = Observed(process.unit, running=True, started_s=self._clock(), starts=1)
        if before is not None:
            state = replace(
                state, failures=before.failures, last_end=before.last_end, starts=before.starts + 1
            )
        self._held[process.unit.name] = _Held(state, process)
        asyncio.get_running_loop().add_reader(process.pidfd, self._changed.set)

    def _signal(self, name: str, *, kill: bool) -> None:
        held = self._held[name]
        if held.process is None:
            return
        log.info("%s %s (process %d)", "killing" if kill else "stopping", name, held.process.pid)
        held.process.signal(signal.SIGKILL if kill else signal.SIGTERM)
        if kill:
            held.state = replace(held.state, killed=True)
        else:
            held.state = replace(held.state, stopping_s=self._clock())

    def _note_end(self, name: str, held: _Held) -> None:
        assert held.process is not None
        asyncio.get_running_loop().remove_reader(held.process.pidfd)
        status = held.process.reap()
        held.process.close()
        self._on_end(held.process)
        held.process = None
        asked = held.state.stopping_s is not None and not held.state.condemned
        how = f"with status {status}" if status is not None else "unasked"
        held.state = ended(held.state, now_s=self._clock(), back_off=self._back_off, how=f"it ended {how}")
        self._launcher.forget(name)
        if asked:
            log.info("%s ended", name)
            return
        wait_s = held.state.retry_s - self._clock()
        log.warning("%s ended %s; starting it again in %.1f s", name, how, max(0.0, wait_s))
