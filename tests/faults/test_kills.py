"""Anything of a mesh is killed at any moment, again and again; `make soak` does it for ten minutes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

from skysail.cli.waiting import read_snapshot
from skysail.control import changes, views
from skysail.control.errors import SkysailError
from skysail.control.etcd_store import EtcdStore
from skysail.control.home import Home
from skysail.control.schema import Application
from tests.e2e.conftest import until
from tests.faults.conftest import MODEL, Faults, check

SEED = 5
KILLING_S = 600.0 if "SKYSAIL_SOAK" in os.environ else 15.0
UNITS = ("frontend", "selector", "batcher", "etcd", f"{MODEL}@1@0", f"{MODEL}@1@1")


def test_random_kills_lose_no_acknowledged_change_and_make_no_wrong_answer(faults: Faults) -> None:
    chance = random.Random(SEED)
    acknowledged: dict[str, int] = {}
    etcd: str = (Home(faults.mesh.home).read("mesh") or {})["etcd"]

    async def change(name: str) -> None:
        store = EtcdStore(etcd)
        try:
            application = Application.make(name=name, models=(MODEL,))
            acknowledged[name] = await changes.set_application(store, application)
        except SkysailError:
            pass  # refused, or it is not known whether it was done: not acknowledged
        finally:
            await store.close()

    async def settled() -> bool:
        store = EtcdStore(etcd)
        try:
            snapshot = await read_snapshot(store)
        except SkysailError:
            return False
        finally:
            await store.close()
        assert acknowledged.keys() <= snapshot.applications.keys()
        roles = {role for role, _ in snapshot.instances}
        return roles == {"frontend", "selector", "batcher"} and not views.not_applied(
            snapshot, max(acknowledged.values())
        )

    with faults.load(rate_per_s=100) as load:
        end_s = time.monotonic() + KILLING_S
        while time.monotonic() < end_s:
            victim = chance.choice(UNITS)
            pid = faults.units().get(victim, {}).get("pid")
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            asyncio.run(change(f"app-{len(acknowledged)}-{chance.getrandbits(32):x}"))
            time.sleep(chance.uniform(0.2, 2.0))
        killed_s = time.monotonic()
        until(faults.whole, timeout_s=60)
        until(lambda: asyncio.run(settled()))
        calm_s = time.monotonic()
        until(lambda: load.answered(calm_s) > 100)
    assert len(acknowledged) > 2
    check(load, "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
    assert load.recovered_s() < calm_s, f"all is there since {calm_s - killed_s:.1f} s after the last kill"
