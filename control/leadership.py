"""One among several processes does what must not be done twice at once: who holds a key under a lease.

Two may believe for a moment that they lead, when a pause was longer than the lease. What they do must bear
that, by compare-and-set on what they change.
"""

from __future__ import annotations

from contextlib import suppress

from skysail.control.errors import Conflict, LeaseLost, SkysailError
from skysail.control.store import Put, Store, Unchanged

__all__ = ["Leadership"]

_PREFIX = "/skysail/leaders/v1/"


class Leadership:
    """Tries to lead; used from one event loop.

    Args:
        store: where the key lies, beside the configuration, so that no service is woken by it.
        task: what is led, such as "rollouts".
        name: of this process.
        ttl_s: how long it takes until another one leads when this one has vanished.
    """

    def __init__(self, store: Store, task: str, name: str, *, ttl_s: float = 5.0) -> None:
        self._store = store
        self._key = f"{_PREFIX}{task}"
        self._name = name
        self._ttl_s = ttl_s
        self._lease: int | None = None

    async def hold(self) -> bool:
        """Whether this process leads now; to be called again well within `ttl_s`.

        Raises:
            StoreUnavailable: nobody knows.
        """
        if self._lease is not None:
            try:
                await self._store.keep_alive(self._lease)
                return True
            except LeaseLost:
                self._lease = None
        if any(entry.key == self._key for entry in (await self._store.list(self._key)).entries):
            return False
        lease = await self._store.grant(self._ttl_s)
        try:
            await self._store.commit(
                [Put(self._key, self._name.encode(), lease)], require=[Unchanged(self._key, 0)]
            )
        except (Conflict, LeaseLost):
            with suppress(LeaseLost):
                await self._store.revoke(lease)
            return False
        self._lease = lease
        return True

    async def close(self) -> None:
        """Lets another one lead at once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            with suppress(SkysailError):
                await self._store.revoke(lease)
