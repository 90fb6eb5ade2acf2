"""The seam to the configuration store: a key-value map with revisions, transactions, watches and leases.

The whole store has one revision, which every transaction raises by one. `EtcdStore` (etcd_store.py) is the
real one, `MemoryStore` (memory_store.py) lives in one process; one contract test runs on both.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Change", "Changes", "Delete", "Entry", "Listing", "Put", "Store", "Unchanged", "Write"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key with its value and the revision that wrote it."""

    key: str
    value: bytes
    revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries sorted by key, and the revision of the store at which that was all of them."""

    revision: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One key was written, or deleted when `value` is None, at `revision`."""

    key: str
    value: bytes | None
    revision: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Whole revisions, in order, up to `revision`."""

    revision: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """Write a key; with a lease it is deleted when the lease ends."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a key; nothing happens when there is none."""

    key: str


Write = Put | Delete


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A condition: the key was last written at `revision`; 0: there is no such key."""

    key: str
    revision: int


class Store(Protocol):
    """What the control plane asks of a store. Every method raises StoreUnavailable when it is away."""

    async def list(self, prefix: str) -> Listing:
        """Everything under a prefix, at one revision."""

    async def commit(self, writes: Sequence[Write], *, require: Sequence[Unchanged] = ()) -> int:
        """All writes or none, in one transaction; returns its revision.

        Raises:
            Conflict: a condition does not hold; nothing was written.
            LeaseLost: a lease that a write names is gone; nothing was written.
        """

    def watch(self, prefix: str, *, after: int) -> AsyncGenerator[Changes, None]:
        """Every change under a prefix since revision `after`, each once; never ends by itself.

        Raises:
            HistoryLost: changes after `after` are no longer known; list again.
        """

    async def grant(self, ttl_s: float) -> int:
        """A new lease that ends when it is not kept alive for `ttl_s`, rounded up to whole seconds."""

    async def keep_alive(self, lease: int) -> None:
        """Extends a lease to its full time.

        Raises:
            LeaseLost: it has ended already.
        """

    async def revoke(self, lease: int) -> None:
        """Ends a lease and deletes its keys; nothing happens when it has ended already."""

    async def close(self) -> None:
        """Lets go of connections; watches end with StoreUnavailable."""
