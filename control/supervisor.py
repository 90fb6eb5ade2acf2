"""Decides which processes to start and stop; touches none of them.

The decision is a pure function of what should run, what runs, and the time. `supervisor_loop` carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from skysail.control.launcher import Unit

__all__ = ["BackOff", "Decision", "Observed", "decide", "ended"]


@dataclass(frozen=True)
class BackOff:
    """How long a unit that dies waits before its next start.

    The first restart is almost immediate; each further one waits twice as long, up to a limit, until the
    unit has run for a while. Raising `healthy_after_s` keeps a slowly failing unit in back-off for longer.
    """

    first_s: float = 0.1
    factor: float = 2.0
    limit_s: float = 15.0
    healthy_after_s: float = 10.0

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row."""
        return min(self.limit_s, self.first_s * self.factor ** max(0, min(failures, 64) - 1))


@dataclass(frozen=True)
class Observed:
    """What is known of one unit's process.

    Attributes:
        unit: as it was started.
        running: whether the process lives.
        started_s: when it was started (monotonic).
        stopping_s: when it was asked to end (monotonic); None when it was not.
        killed: whether it was killed because it did not end in time.
        failures: ends in a row that nobody asked for.
        retry_s: when it may be started again (monotonic).
        condemned: why it is being replaced; empty when it is not.
        last_end: how the process before this one, or this one, ended unasked; empty when none did.
        starts: how many processes have been started for the unit, or taken over.
    """

    unit: Unit
    running: bool
    started_s: float
    stopping_s: float | None = None
    killed: bool = False
    failures: int = 0
    retry_s: float = 0.0
    condemned: str = ""
    last_end: str = ""
    starts: int = 0


@dataclass(frozen=True)
class Decision:
    """What to do now, by unit name; and when to ask again (monotonic) if nothing happens before."""

    start: tuple[Unit, ...] = ()
    stop: tuple[str, ...] = ()
    kill: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    ask_again_s: float | None = None


def decide(
    desired: Iterable[Unit], observed: Mapping[str, Observed], *, now_s: float, grace_s: float = 15.0
) -> Decision:
    """Compares what should run with what does.

    A unit that is no longer desired, or whose command has changed, is asked to end, and killed when it has
    not after `grace_s`. A unit that is desired and does not run is started once its back-off has passed.
    """
    wanted = {unit.name: unit for unit in desired}
    start: list[Unit] = []
    stop: list[str] = []
    kill: list[str] = []
    forget: list[str] = []
    times: list[float] = []
    for name, state in observed.items():
        unit = wanted.get(name)
        if not state.running:
            if unit is None:
                forget.append(name)
            elif unit != state.unit or state.stopping_s is not None or state.retry_s <= now_s:
                start.append(unit)
            else:
                times.append(state.retry_s)
        elif state.stopping_s is None:
            if unit != state.unit:
                stop.append(name)
                times.append(now_s + grace_s)
        elif not state.killed:
            if state.stopping_s + grace_s <= now_s:
                kill.append(name)
            else:
                times.append(state.stopping_s + grace_s)
    start += [unit for name, unit in wanted.items() if name not in observed]
    return Decision(tuple(start), tuple(stop), tuple(kill), tuple(forget), min(times, default=None))


def ended(state: Observed, *, now_s: float, back_off: BackOff, how: str = "") -> Observed:
    """The state of a unit whose process has just ended; one that had to be replaced counts as failed."""
    if state.condemned:
        how = state.condemned
        state = replace(state, stopping_s=None, killed=False, condemned="")
    if state.stopping_s is not None:
        return replace(state, running=False, failures=0, retry_s=now_s)
    ran_well = now_s - state.started_s >= back_off.healthy_after_s
    failures = 1 if ran_well else state.failures + 1
    retry_s = now_s + back_off.wait_s(failures)
    return replace(state, running=False, failures=failures, retry_s=retry_s, last_end=how)
