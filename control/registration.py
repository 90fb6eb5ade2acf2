"""Keeps a document of this process in the store for as long as the process lives."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from skysail.control.backoff import Backoff
from skysail.control.errors import LeaseLost, SkysailError, StoreUnavailable
from skysail.control.schema import Document
from skysail.control.store import Put, Store

__all__ = ["Registration"]

log = logging.getLogger(__name__)


class Registration:
    """One key under a lease of its own, written again whenever the store has lost it.

    Args:
        store: where to.
        key: see `keys.instance` and `keys.replica`.
        ttl_s: how long the others believe in a process that has vanished without a word. Shorter notices
            sooner, longer endures longer pauses of this process.
        backoff: between attempts while the store is away; its limit should be well below `ttl_s`.
        on_heard: called whenever the store has answered.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        *,
        ttl_s: float = 10.0,
        backoff: Backoff | None = None,
        on_heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._key = key
        self._ttl_s = ttl_s
        self._backoff = backoff or Backoff(limit_s=ttl_s / 10)
        self._on_heard = on_heard
        self._wanted: bytes | None = None
        self._written: bytes | None = None
        self._lease: int | None = None
        self._news = asyncio.Event()

    @property
    def registered(self) -> bool:
        """Whether the store holds the latest document, as far as we know."""
        return self._lease is not None and self._wanted is not None and self._written == self._wanted

    def publish(self, document: Document) -> None:
        """Says what the store should hold; `run` writes it when it can."""
        self._wanted = document.encode()
        self._news.set()

    async def run(self) -> None:
        """Keeps the document there until cancelled."""
        while True:
            self._news.clear()
            delay_s = await self.step()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):  # wait_for of Python 3.11 may swallow a cancellation
                    await self._news.wait()

    async def step(self) -> float:
        """Does what is due once; returns how long the next step may wait."""
        if self._wanted is None:
            return self._ttl_s
        try:
            if self._lease is None:
                self._lease, self._written = await self._store.grant(self._ttl_s), None
            else:
                await self._store.keep_alive(self._lease)
            if self._written != self._wanted:
                wanted = self._wanted
                await self._store.commit([Put(self._key, wanted, self._lease)])
                self._written = wanted
        except LeaseLost:
            log.warning("the store has lost the lease of %s: registering again", self._key)
            self._lease = None
            self._on_heard()
            return 0.0
        except StoreUnavailable:
            return self._backoff.fail()
        self._backoff.succeed()
        self._on_heard()
        return self._ttl_s / 3

    async def close(self, *, timeout_s: float = 2.0) -> None:
        """Takes the document out at once; when the store is away, its lease ends by itself."""
        self._wanted = None
        lease, self._lease = self._lease, None
        if lease is not None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._store.revoke(lease)
            except (SkysailError, TimeoutError) as error:
                log.warning("%s will vanish when its lease ends: %s", self._key, error)
