"""A store in one process, for tests and embedded use, that can be made to fail by hand."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from skysail.control.errors import Conflict, HistoryLost, LeaseLost, StoreUnavailable
from skysail.control.store import Change, Changes, Delete, Entry, Listing, Put, Unchanged, Write

__all__ = ["MemoryStore"]


class MemoryStore:
    """Behaves as etcd does; used from one event loop. Leases end only when `expire` is called."""

    def __init__(self) -> None:
        self._revision = 1
        self._compacted = 0
        self._entries: dict[str, Entry] = {}
        self._history: list[Change] = []
        self._leases: set[int] = set()
        self._last_lease = 0
        self._away = False
        self._changed = asyncio.Condition()

    async def list(self, prefix: str) -> Listing:
        """Everything under a prefix, at one revision."""
        self._check()
        found = sorted((e for e in self._entries.values() if e.key.startswith(prefix)), key=lambda e: e.key)
        return Listing(self._revision, tuple(found))

    async def commit(self, writes: Sequence[Write], *, require: Sequence[Unchanged] = ()) -> int:
        """All writes or none, in one transaction; returns its revision."""
        self._check()
        for condition in require:
            entry = self._entries.get(condition.key)
            if (entry.revision if entry else 0) != condition.revision:
                raise Conflict(f"{condition.key} was changed by somebody else; nothing was written")
        for write in writes:
            if isinstance(write, Put) and write.lease and write.lease not in self._leases:
                raise LeaseLost(f"lease {write.lease:x} has ended")
        return await self._write(writes)

    async def watch(self, prefix: str, *, after: int) -> AsyncGenerator[Changes, None]:
        """Every change under a prefix since revision `after`, each once."""
        while True:
            self._check()
            if after < self._compacted or after > self._revision:
                raise HistoryLost(f"changes since revision {after} are not known")
            new = tuple(c for c in self._history if c.revision > after and c.key.startswith(prefix))
            after = self._revision
            if new:
                yield Changes(new[-1].revision, new)
                continue
            async with self._changed:
                while self._revision == after and not self._away:
                    await self._changed.wait()

    async def grant(self, ttl_s: float) -> int:
        """A new lease; its time does not run."""
        self._check()
        self._last_lease += 1
        self._leases.add(self._last_lease)
        return self._last_lease

    async def keep_alive(self, lease: int) -> None:
        """Checks that the lease is still there."""
        self._check()
        if lease not in self._leases:
            raise LeaseLost(f"lease {lease:x} has ended")

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys."""
        self._check()
        await self.expire(lease)

    async def close(self) -> None:
        """Ends watches."""
        await self.set_away(True)

    async def set_away(self, away: bool) -> None:
        """By hand: every call fails with StoreUnavailable until it is back; nothing is forgotten."""
        async with self._changed:
            self._away = away
            self._changed.notify_all()

    async def expire(self, lease: int) -> None:
        """By hand: the lease's time is over."""
        if lease in self._leases:
            self._leases.remove(lease)
            await self._write([Delete(entry.key) for entry in self._entries.values() if entry.lease == lease])

    def compact(self) -> None:
        """By hand: forgets the changes up to now."""
        self._compacted = self._revision
        self._history.clear()

    def _check(self) -> None:
        if self._away:
            raise StoreUnavailable("the store is away")

    async def _write(self, writes: Sequence[Write]) -> int:
        effective = [w for w in writes if isinstance(w, Put) or w.key in self._entries]
        if not effective:
            return self._revision
        async with self._changed:
            self._revision += 1
            for write in effective:
                if isinstance(write, Put):
                    self._entries[write.key] = Entry(write.key, write.value, self._revision, write.lease)
                    self._history.append(Change(write.key, write.value, self._revision))
                else:
                    del self._entries[write.key]
                    self._history.append(Change(write.key, None, self._revision))
            self._changed.notify_all()
        return self._revision
