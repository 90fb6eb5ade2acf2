"""Bringing a configuration about on a running mesh, so that no call meets a version that is not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from skysail.cli.waiting import registered, wait_applied, wait_for_replicas
from skysail.control import changes
from skysail.control.configuration import Configuration
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
    path = steps(before, after)
    if not path:
        return await changes.replace(store, before, after, action=action, origin=origin)
    if len(path) > 1 and (coming := awaited(path[0], after)):
        revision = await changes.replace(store, before, path[0], action=f"{action}: start", origin=origin)
        note(f"starting {', '.join(f'{one.model} version {one.version}' for one, _ in coming)} ...")
        try:
            for version, wanted in coming:
                await wait_for_replicas(home, store, version, wanted, timeout_s=timeout_s)
                revision = max(revision, await registered(store, version))
            # A route must not lead to a batcher that has not heard of the replicas yet.
            await wait_applied(store, revision, timeout_s=timeout_s)
        except BaseException:
            await asyncio.shield(
                changes.replace(store, path[0], before, action=f"{action}: given up", origin=origin)
            )
            raise
        before, path = path[0], path[1:]
    revision = 0
    for step in path:
        name = action if step is path[0] else f"{action}: stop what is not called any more"
        revision = await changes.replace(store, before, step, action=name, origin=origin)
        await wait_applied(store, revision, timeout_s=timeout_s)
        before = step
    return revision
