"""`skysail latency` on a real mesh: what is broken on purpose is named."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from skysail.control import keys
from skysail.control.etcd_store import EtcdStore
from skysail.control.ports import settle
from skysail.control.schema import Replica, Version
from skysail.control.store import Delete, Put
from tests.e2e.conftest import until
from tests.faults.conftest import Faults
from tests.faults.load import Load
from tests.faults.proxy import SlowWay

#: Two looks of a process at its own counters, and some time for a busy machine.
NAMED_WITHIN_S = 90.0


def deploy(faults: Faults, name: str, model: str, *options: str) -> None:
    path = faults.told.parent / "model.py"
    faults.mesh.ok("deploy", name, f"{path}:{model}", *options)


@contextmanager
def own_replica(faults: Faults, name: str, by_way_of: SlowWay, listen: str) -> Iterator[None]:
    """A replica that nobody supervises, registered at the other end of a slow way."""
    etcd = faults.mesh.json("status")["etcd"]

    async def register() -> None:
        store = EtcdStore(etcd)
        listing = await store.list(keys.version(name, "1"))
        version = Version.decode(listing.entries[0].value)
        replica = Replica.make(
            model=name, version="1", id="0-far", digest=version.artefact.digest, address=by_way_of.address
        )
        await store.commit([Put(keys.replica(name, "1", replica.id), replica.encode())])
        await store.close()

    async def forget() -> None:
        store = EtcdStore(etcd)
        await store.commit([Delete(keys.replica(name, "1", "0-far"))])
        await store.close()

    path = faults.told.parent / "model.py"
    command = (sys.executable, "-m", "skysail.cli.main", "serve-model", f"{path}:Sum", "--name", name)
    serving = subprocess.Popen((*command, "--listen", listen), stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None and "is served at" in serving.stdout.readline()
        asyncio.run(register())
        yield
    finally:
        asyncio.run(forget())
        serving.terminate()
        serving.communicate(timeout=20)


def named(faults: Faults, application: str) -> tuple[str, str, str]:
    found = faults.mesh.json("latency", application, "--last-s", "10")
    return found["stage"], found["grew"], found["cause"]


def test_faults_are_named_by_stage_and_cause(faults: Faults) -> None:
    """A slow model, an overloaded queue, a cache gone cold, one slow replica among three, and a slow hop."""
    deploy(faults, "slower", "Sum", "--cache=off")
    deploy(faults, "crowded", "Slowly", "--cache=off")
    deploy(faults, "colder", "Slowly")
    deploy(faults, "uneven", "Sum", "--cache=off", "--replicas=3")
    deploy(faults, "far", "Sum", "--cache=off", "--version=1")
    faults.mesh.ok("scale", "far", "0")
    listen = settle("127.0.0.1:0", option="port")
    with ExitStack() as stack:
        way = stack.enter_context(SlowWay(listen))
        stack.enter_context(own_replica(faults, "far", way, listen))

        def load(model: str, rate_per_s: float, *, repeats: bool = False) -> Load:
            made = Load(faults.mesh.grpc, model, rate_per_s=rate_per_s, repeats=repeats)
            return stack.enter_context(made)

        load("slower", 15)
        crowd = load("crowded", 10)
        warm = load("colder", 20, repeats=True)
        load("uneven", 30)
        load("far", 15)
        # What is compared with: at least one look of each process at calm counters.
        until(lambda: crowd.answered() > 150)

        stack.enter_context(faults.misbehaving(faults.pid("slower@1@0"), "slow 0.06"))
        stack.enter_context(faults.misbehaving(faults.pid("uneven@1@1"), "slow 0.12"))
        crowd.rate_per_s = 100
        warm.repeats = False
        way.delay_s = 0.03

        wanted = {
            "slower": ("model", "model", "model"),
            "crowded": ("queue", "queue", "overload"),
            "colder": ("model", "model", "cache"),
            "uneven": ("model", "model", "replica"),
            "far": ("hop", "hop", "hop"),
        }
        seen: dict[str, Any] = {}

        def all_named() -> bool:
            seen.update({name: named(faults, name) for name in wanted if seen.get(name) != wanted[name]})
            return seen == wanted

        try:
            until(all_named, NAMED_WITHIN_S)
        except AssertionError:
            raise AssertionError(f"named were {seen}") from None
        told = {name: faults.mesh.ok("latency", name, "--last-s", "10").splitlines()[-1] for name in wanted}
    for name in wanted:  # the tests that follow have the mesh for themselves
        faults.mesh.ok("scale", name, "0")
    assert "replica uneven/1/1 takes" in told["uneven"]
    assert "slowest to the replica 0 of far version 1" in told["far"]
    assert "the cache answers" in told["colder"]
