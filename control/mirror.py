"""Keeps this process's configuration equal to what the store holds.

It lists everything once, then watches from that revision on and hands each new snapshot to `apply`. When
the store is away the last snapshot stays in force, whatever leases may have ended meanwhile: something goes
only when the store says so. The watch resumes from its revision; when the store has forgotten that part of
its history, all is listed again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

from skysail.control.backoff import Backoff
from skysail.control.errors import HistoryLost, StoreUnavailable
from skysail.control.keys import PREFIX
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Changes, Store

__all__ = ["Mirror"]

log = logging.getLogger(__name__)


class Mirror:
    """Follows the store; `run` does so for ever, `step` once.

    Args:
        store: what to follow.
        apply: puts a snapshot into force; quick, called on the event loop. When it raises, the error is
            logged and the snapshot does not count as applied; the next one replaces it anyhow.
        backoff: between attempts while the store is away.
        sleep: for tests.
    """

    def __init__(
        self,
        store: Store,
        apply: Callable[[Snapshot], None],
        *,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._apply = apply
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._assembler = Assembler()
        self._watch: AsyncGenerator[Changes, None] | None = None
        self._listed = False
        self._after = 0
        self._told = False  # that the store is away
        self.snapshot = Snapshot()
        #: The snapshot of this revision is in force; 0: none yet.
        self.applied_revision = 0
        #: Whether the last attempt to reach the store succeeded.
        self.connected = False

    @property
    def rejected(self) -> dict[str, str]:
        """The illegal documents that are in the store now, with the reason."""
        return dict(self._assembler.rejected)

    @property
    def rejections(self) -> int:
        """How many illegal documents have been seen."""
        return self._assembler.rejections

    async def run(self) -> None:
        """Follows until cancelled."""
        try:
            while True:
                delay_s = await self.step()
                if delay_s:
                    await self._sleep(delay_s)
        finally:
            await self._end_watch()

    async def step(self) -> float:
        """Waits for the next news and applies it; returns how long to wait before the next step."""
        try:
            if not self._listed:
                return await self._list()
            if self._watch is None:
                self._watch = self._store.watch(PREFIX, after=self._after)
            changes = await anext(self._watch)
        except HistoryLost as error:
            log.warning("%s: reading the whole configuration again", error)
            self._listed = False
            await self._end_watch()
            return 0.0
        except StoreUnavailable as error:
            if not self._told:
                log.warning("%s", error)
            self._told = True
            self.connected = False
            await self._end_watch()
            return self._backoff.fail()
        self._succeed()
        self._after = changes.revision
        self._put_into_force(self._assembler.apply(changes.changes))
        return 0.0

    async def _list(self) -> float:
        listing = await self._store.list(PREFIX)
        if not listing.entries and listing.revision < self._after:
            if self.connected:
                log.error("the store was replaced by an empty one: the last configuration stays in force")
            self.connected = False
            return self._backoff.fail()
        self._succeed()
        self._listed = True
        self._after = listing.revision
        self._put_into_force(self._assembler.load(listing))
        return 0.0

    def _succeed(self) -> None:
        self._backoff.succeed()
        if self._told:
            log.info("the configuration is followed again")
        self._told = False
        self.connected = True

    def _put_into_force(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        try:
            self._apply(snapshot)
        except Exception:
            log.exception("configuration of revision %d could not be applied", snapshot.revision)
            return
        self.applied_revision = snapshot.revision

    async def _end_watch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            with contextlib.suppress(StoreUnavailable):
                await watch.aclose()
