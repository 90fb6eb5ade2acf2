"""Waiting for what was asked of a mesh: replicas that are ready, services that have applied a change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from skysail.control import keys, views
from skysail.control.errors import FailedPrecondition, Timeout
from skysail.control.etcd_store import EtcdStore
from skysail.control.home import Home
from skysail.control.keys import PREFIX
from skysail.control.launcher import Launcher
from skysail.control.running import running_mesh
from skysail.control.schema import Version
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Store

__all__ = ["open_store", "read_snapshot", "registered", "wait_applied", "wait_for_replicas"]


@asynccontextmanager
async def open_store(home: Home) -> AsyncIterator[Store]:
    """The configuration store of the mesh that runs in this home.

    Raises:
        FailedPrecondition: none runs.
    """
    store = EtcdStore(running_mesh(home).etcd)
    try:
        yield store
    finally:
        await store.close()


async def read_snapshot(store: Store) -> Snapshot:
    """The configuration as it is now."""
    return Assembler().load(await store.list(PREFIX))


async def wait_for_replicas(
    home: Home, store: Store, version: Version, wanted: int, *, timeout_s: float
) -> None:
    """Returns when `wanted` replicas of the version are ready, and no more.

    Raises:
        FailedPrecondition: one ended while it was starting; with what it said last.
        Timeout: they have not become so in time.
    """
    deadline_s = time.monotonic() + timeout_s
    units = [f"{version.model}@{version.version}@{slot}" for slot in range(wanted)]
    before = _failures(home, units)
    while True:
        ready = len(views.ready_replicas((await read_snapshot(store)).replicas.values(), version))
        if ready == wanted:
            return
        for name, failures in _failures(home, units).items():
            if failures > before[name] and ready < wanted:
                said = Launcher(home).tail(name, 1) or ["it printed nothing"]
                raise FailedPrecondition(f"a replica ended while it was starting: {said[-1]}")
        if time.monotonic() > deadline_s:
            raise Timeout(
                f"{ready} of {wanted} replicas of {version.model!r} version {version.version} are ready "
                f"after {timeout_s:g} s; see `skysail logs {version.model}`, or wait longer with --timeout-s"
            )
        await asyncio.sleep(0.05)


async def registered(store: Store, version: Version) -> int:
    """The revision from which all replicas of the version are in the store."""
    listing = await store.list(keys.replica(version.model, version.version, ""))
    return max((entry.revision for entry in listing.entries), default=0)


def _failures(home: Home, names: list[str]) -> dict[str, int]:
    """How often in a row each process has died, as the supervisor counts."""
    units = home.read("units") or {}
    return {name: units.get(name, {}).get("failures", 0) for name in names}


async def wait_applied(store: Store, revision: int, *, timeout_s: float) -> None:
    """Returns when every service serves with the configuration of that revision.

    Raises:
        Timeout: some do not in time; they are named.
    """
    deadline_s = time.monotonic() + timeout_s
    while behind := views.not_applied(await read_snapshot(store), revision):
        if time.monotonic() > deadline_s:
            raise Timeout(f"{', '.join(behind)} did not take over the change within {timeout_s:g} s")
        await asyncio.sleep(0.02)
