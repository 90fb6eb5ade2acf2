"""Goes on with the processes that the store forgot while it was away itself.

A process is in the store under a lease, which ends when the process no longer keeps it alive. When it is the
store that was away, or stopped for a while, the leases of all end though all live; they register again within
a moment. What vanishes then is kept in force for that moment. It costs nothing where the process is gone
indeed: a peer that cannot be reached gets no calls.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from skysail.control.snapshot import Snapshot

__all__ = ["Lingering"]


class Lingering:
    """Decides what stays in force; tell it whenever the store has answered.

    Args:
        lease_ttl_s: of this process's own lease, kept alive every third of that. The store counts as away
            when it has been silent for half of it, and others have another half to register again.
        clock: seconds, monotonic.
    """

    def __init__(self, lease_ttl_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._half_s = lease_ttl_s / 2
        self._clock = clock
        self._heard_s = clock()
        self._until_s = self._heard_s
        self._in_force = Snapshot()

    def heard(self) -> None:
        """The store has answered."""
        now_s = self._clock()
        if now_s - self._heard_s > self._half_s:
            self._until_s = now_s + self._half_s
        self._heard_s = now_s

    def keep(self, snapshot: Snapshot) -> tuple[Snapshot, float | None]:
        """What is to be in force when the store holds `snapshot`.

        Returns:
            The snapshot, with processes that may only have been forgotten; and in how many seconds to ask
            again, None when nothing was added.
        """
        now_s = self._clock()
        silent = now_s - self._heard_s > self._half_s
        kept = snapshot
        if silent or now_s < self._until_s:
            kept = replace(
                snapshot,
                instances=MappingProxyType({**self._in_force.instances, **snapshot.instances}),
                replicas=MappingProxyType({**self._in_force.replicas, **snapshot.replicas}),
            )
        self._in_force = kept
        if len(kept.instances) == len(snapshot.instances) and len(kept.replicas) == len(snapshot.replicas):
            return snapshot, None
        return kept, self._half_s if silent else self._until_s - now_s
