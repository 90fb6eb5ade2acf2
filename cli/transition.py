"""Bringing a configuration about on a running mesh, so that no call meets a version that is not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from skysail.cli.waiting import registered, wait_applied, wait_for_replicas
from skysail.control import changes
from skysail.control.configuration import Configuration
from skysail.control.errors import SkysailError
from skysail.control.home import Home
from skysail.control.store import Store
from skysail.control.transaction import Origin
from skysail.control.transition import awaited, steps

__all__ = ["bring_about"]


async def bring_about(
    home: Home,
    store: Store,
    before: Configuration,
    after: Configuration,
    *,
    action: str,
    origin: Origin,
    timeout_s: float,
    note: Callable[[str], None],
) -> int:
    """Starts what will take traffic, switches when it is ready, and stops what no call reaches any more.

    Returns:
        The revision from which `after` is in force, everywhere.

    Raises:
        SkysailError: the new versions did not come up; everything is as before.
        Conflict: somebody else changed the same meanwhile; what had been started stays.
    """
    started, switched, target = steps(before, after)
    if coming := awaited(before, after):
        if dict(started) != dict(before):
            name = action if dict(started) == dict(switched) else f"{action}: start"
            await changes.replace(store, before, started, action=name, origin=origin)
        note(f"waiting for {', '.join(f'{one.model} version {one.version}' for one, _ in coming)} ...")
        try:
            for version, wanted in coming:
                await wait_for_replicas(home, store, version, wanted, timeout_s=timeout_s)
                # A route must not lead to a batcher that has not heard of the replicas yet.
                await wait_applied(store, await registered(store, version), timeout_s=timeout_s)
        except BaseException:
            await _take_back(store, started, before, action=f"{action}: given up", origin=origin, note=note)
            raise
        before = started
    revision = await changes.replace(store, before, switched, action=action, origin=origin)
    await wait_applied(store, revision, timeout_s=timeout_s)
    if dict(target) != dict(switched):
        name = f"{action}: stop what is not called any more"
        revision = await changes.replace(store, switched, target, action=name, origin=origin)
        await wait_applied(store, revision, timeout_s=timeout_s)
    return revision


async def _take_back(
    store: Store,
    started: Configuration,
    before: Configuration,
    *,
    action: str,
    origin: Origin,
    note: Callable[[str], None],
) -> None:
    """Stops what was started; says so when that cannot be done, since why it has to be matters more."""
    if dict(started) == dict(before):
        return
    try:
        await asyncio.shield(changes.replace(store, started, before, action=action, origin=origin))
    except SkysailError as error:
        note(f"what was started goes on running: {error}")
