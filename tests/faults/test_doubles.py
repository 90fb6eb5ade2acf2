"""Two selectors and two batchers: one of each dies, drains or is stopped, and callers go to the other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from skysail.cli.waiting import read_snapshot
from skysail.control.etcd_store import EtcdStore
from skysail.control.home import Home
from skysail.control.schema import Instance
from skysail.proto import admin_pb2, admin_pb2_grpc
from tests.e2e.conftest import until
from tests.faults.conftest import Faults, check, steady, stopped

ROLES = ("selector", "batcher")
#: Within which callers of a service that answers nothing are served by another.
ELSEWHERE_S = 2.0


@pytest.fixture
def doubled(faults: Faults) -> Iterator[Faults]:
    """The mesh, with a second instance of both roles as somebody would start it by hand."""
    folder = faults.told.parent
    with ExitStack() as stack:
        for role in ROLES:
            command = [sys.executable, "-m", "skysail.cli.main", role, "--lease-ttl-s=3"]
            command += ["--etcd", etcd(faults), "--unix", str(folder / f"{role}.sock")]
            log = stack.enter_context((folder / f"{role}.log").open("ab"))
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        until(lambda: all(len(instances(faults, role)) == 2 for role in ROLES))
        yield faults
    until(lambda: all(len(instances(faults, role)) == 1 for role in ROLES))


def etcd(faults: Faults) -> str:
    """The store of the mesh."""
    found: str = (Home(faults.mesh.home).read("mesh") or {})["etcd"]
    return found


def instances(faults: Faults, role: str) -> list[Instance]:
    """The registered instances of a role."""

    async def read() -> list[Instance]:
        store = EtcdStore(etcd(faults))
        try:
            return list((await read_snapshot(store)).instances.values())
        finally:
            await store.close()

    return [one for one in asyncio.run(read()) if one.role == role]


def in_use(faults: Faults, role: str) -> int:
    """The process of the role that has the calls: those of one model meet at one of the two."""

    def read_bytes(address: str) -> int:
        with grpc.insecure_channel(address) as channel:
            answer = admin_pb2_grpc.AdminStub(channel).GetStats(admin_pb2.GetStatsRequest(), timeout=5)
        count: int = json.loads(answer.stats_json)["server"]["bytes_read"]
        return count

    there = instances(faults, role)
    before = [read_bytes(one.address) for one in there]
    time.sleep(0.3)
    grown = [read_bytes(one.address) - was for one, was in zip(there, before, strict=True)]
    return there[grown.index(max(grown))].pid


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_service_that_ends_fails_no_call_while_there_is_another(doubled: Faults, how: signal.Signals) -> None:
    with doubled.load() as load:
        for role in ROLES:
            steady(load)
            os.kill(in_use(doubled, role), how)
            steady(load, 200)
        until(doubled.whole)
    check(load)
    assert load.failures() == []


def test_callers_leave_a_stopped_service_within_two_seconds_and_come_back(doubled: Faults) -> None:
    for role in ROLES:
        with doubled.load() as load:
            steady(load)
            pid = in_use(doubled, role)
            stopped_s = time.monotonic()
            with stopped(pid):
                until(lambda stopped_s=stopped_s: time.monotonic() > stopped_s + ELSEWHERE_S)  # type: ignore[misc]
                steady(load, 200)
            until(lambda role=role, pid=pid: in_use(doubled, role) == pid)  # type: ignore[misc]
            steady(load)
        # What was on its way to the stopped one may be too late for the other, which refuses it then.
        check(load, "DEADLINE_EXCEEDED", "UNAVAILABLE", "RESOURCE_EXHAUSTED")
        assert load.recovered_s() < stopped_s + ELSEWHERE_S
