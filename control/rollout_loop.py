"""Drives the rollouts that there are: looks, lets `rollout.advance` decide, and writes what it decided.

It runs in every process that chooses versions, and works in the one that leads. All that the next leader
needs is in the rollouts' documents.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from skysail.control import rollouts
from skysail.control.errors import Conflict, SkysailError
from skysail.control.leadership import Leadership
from skysail.control.measuring import Counted, grown, measure
from skysail.control.rollout import Rollout, advance
from skysail.control.snapshot import Snapshot
from skysail.control.store import Store
from skysail.control.transaction import Origin

__all__ = ["RolloutLoop"]

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
#: A short step is looked at this often.
_LOOKS_A_STEP = 20
#: What was seen is written down after so many looks: that much a leader's death may lose.
_LOOKS_A_NOTE = 5


@dataclass(frozen=True)
class _Watched:
    """A rollout as it lies in the store, what was seen of it since, and the look that that was seen by."""

    stored: Rollout
    seen: Rollout
    counted: Counted
    at_s: float
    noted_s: float


class RolloutLoop:
    """`run` drives until cancelled, `step` once.

    Args:
        store: where the rollouts lie.
        snapshot: the configuration as it is known now.
        name: of this process, kept with every step.
        look: counts a model's calls; for tests.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        store: Store,
        snapshot: Callable[[], Snapshot],
        name: str,
        *,
        look: Callable[[Snapshot, str], Awaitable[Counted]] = measure,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._look = look
        self._clock = clock
        self._origin = Origin(author=name)
        self._leadership = Leadership(store, "rollouts", name)
        self._watched: dict[str, _Watched] = {}

    async def run(self) -> None:
        """Drives until cancelled."""
        try:
            while True:
                await asyncio.sleep(await self.step())
        finally:
            await self._leadership.close()

    async def step(self) -> float:
        """Looks at every rollout once, if this process leads; in how many seconds to look again."""
        running = {name: one for name, one in self._snapshot().rollouts.items() if not one.ended}
        self._watched = {name: one for name, one in self._watched.items() if name in running}
        if not running:
            return INTERVAL_S
        try:
            if not await self._leadership.hold():
                self._watched.clear()
                return INTERVAL_S
            for rollout in running.values():
                await self._drive(rollout)
        except SkysailError as error:
            # Calls go where they went; what was counted meanwhile is counted with the next look.
            log.warning("rollouts wait: %s", error)
        except Exception:
            # What serves must not end with what judges.
            log.exception("rollouts wait")
        return min(map(_interval_s, running.values()))

    async def _drive(self, rollout: Rollout) -> None:
        snapshot, now_s = self._snapshot(), self._clock()
        counted = await self._look(snapshot, rollout.model)
        watched = self._watched.get(rollout.model)
        if watched is None or watched.stored != rollout:
            # New, or changed by somebody: counting begins now, from what the document says.
            self._watched[rollout.model] = _Watched(rollout, rollout, counted, now_s, now_s)
            return
        if rollouts.elsewhere(rollout, snapshot.models.get(rollout.model)):
            after = rollout.model_copy(
                update={"state": "overtaken", "reason": "somebody else changed the route meanwhile"}
            )
        else:
            after = advance(
                watched.seen,
                grown(watched.counted, counted, rollout.version),
                grown(watched.counted, counted, rollout.baseline),
                elapsed_s=now_s - watched.at_s,
            )
        del self._watched[rollout.model]
        try:
            if after.ended or after.step != rollout.step:
                await rollouts.carry_on(self._store, rollout, after, origin=self._origin)
                log.info("%s: %s", after.title, after.reason or f"{after.steps[after.step]:g}%")
                return
            stored, noted_s = rollout, watched.noted_s
            if now_s - noted_s > _LOOKS_A_NOTE * _interval_s(rollout):
                await rollouts.note(self._store, rollout, after)
                stored, noted_s = after, now_s
        except Conflict as error:
            log.info("%s", error)  # it is looked at anew
            return
        self._watched[rollout.model] = _Watched(stored, after, counted, now_s, noted_s)


def _interval_s(rollout: Rollout) -> float:
    return min(max(0.1, rollout.hold_s / _LOOKS_A_STEP), INTERVAL_S)
