"""A service dies, hangs, drains or runs out of descriptors; callers come back to a mesh that serves."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from benchmarks import processes
from tests.e2e.conftest import until
from tests.faults.conftest import HUNG_AFTER_S, Faults, check, steady, stopped

ROLES = ("batcher", "selector", "frontend")
#: Python, its libraries and the first look at etcd, on a slow machine.
RESTART_S = 15.0


@pytest.mark.parametrize("role", ROLES)
def test_killed_service_is_restarted_and_serves_again(faults: Faults, role: str) -> None:
    pid = faults.pid(role)
    with faults.load() as load:
        steady(load)
        killed_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        until(lambda: faults.restarted(role, pid))
        until(lambda: load.answered(killed_s) > 0)
        steady(load, 200)
    check(load, "UNAVAILABLE", "DEADLINE_EXCEEDED")
    assert load.recovered_s() < killed_s + RESTART_S
    assert not load.statuses(until_s=killed_s - 1).keys() - {"OK"}


def test_batcher_that_hangs_is_killed_and_comes_back(faults: Faults) -> None:
    pid = faults.pid("batcher")
    with faults.load(rate_per_s=50) as load:
        steady(load, 20)
        with stopped(pid):
            until(lambda: faults.restarted("batcher", pid))
        until(faults.whole)
        restarted_s = time.monotonic()
        steady(load, 100)
    check(load, "UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED")
    assert load.recovered_s() < restarted_s + 2.0


@pytest.mark.parametrize("role", ROLES)
def test_terminated_service_answers_what_it_holds(faults: Faults, role: str) -> None:
    pid = faults.pid(role)
    with faults.load() as load:
        steady(load)
        told_s = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: faults.restarted(role, pid))
        until(lambda: load.answered(told_s + 0.5) > 0)
        steady(load, 200)
    # Calls that it held are answered; those that came after are told that nobody is there.
    check(load, "UNAVAILABLE")
    assert all(one.sent_s > told_s - 0.05 for one in load.failures())
    assert load.recovered_s() < told_s + RESTART_S


def test_services_out_of_descriptors_serve_those_they_have_and_take_others_when_they_can(
    faults: Faults,
) -> None:
    """All three at once, for longer than a process may hang: they are busy with what they have, not hung."""
    pids = {role: faults.pid(role) for role in ROLES}
    addresses = {one["role"]: one["address"] for one in faults.mesh.json("status")["services"]}

    def connect(role: str) -> socket.socket:
        host, _, port = addresses[role].rpartition(":")
        return socket.create_connection((host, int(port)), timeout=10)

    with faults.load() as load:
        steady(load)
        with ExitStack() as crowd:
            began_s = time.monotonic()
            for role, pid in pids.items():
                crowd.enter_context(out_of_descriptors(pid))
                for _ in range(40):
                    crowd.enter_context(connect(role))
            cpu_s = {role: processes.cpu_seconds([pid]) for role, pid in pids.items()}
            until(lambda: time.monotonic() > began_s + HUNG_AFTER_S + 2)
            elapsed_s = time.monotonic() - began_s
            for role, pid in pids.items():
                # Calls take a few percent of a processor; a loop that spins would take all of one.
                assert (processes.cpu_seconds([pid]) - cpu_s[role]) / elapsed_s < 0.5, role
        with faults.load() as newcomers:
            steady(newcomers)
    assert load.failures() == newcomers.failures() == []
    check(load)
    check(newcomers)
    for role in ROLES:
        assert faults.stats(role)["server"]["accepts_put_off"] >= 1, role
    assert {role: faults.pid(role) for role in ROLES} == pids


@contextmanager
def out_of_descriptors(pid: int) -> Iterator[None]:
    """Lets a process open 8 more at most while the block runs."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    room = len(os.listdir(f"/proc/{pid}/fd")) + 8
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (room, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
