"""A service dies, hangs, drains or runs out of descriptors; callers come back to a mesh that serves."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from contextlib import ExitStack

import pytest

from benchmarks import processes
from tests.e2e.conftest import until
from tests.faults.conftest import Faults, check, steady, stopped

#: Python, its libraries and the first look at etcd, on a slow machine.
RESTART_S = 15.0


@pytest.mark.parametrize("role", ["batcher", "selector", "frontend"])
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


@pytest.mark.parametrize("role", ["batcher", "selector", "frontend"])
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


def test_service_out_of_descriptors_serves_those_it_has_and_takes_others_when_it_can(faults: Faults) -> None:
    pid = faults.pid("frontend")
    host, _, port = faults.mesh.grpc.rpartition(":")
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    with faults.load() as load:
        steady(load)
        room = len(os.listdir(f"/proc/{pid}/fd")) + 8
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (room, before[1]))
        try:
            with ExitStack() as crowd:
                for _ in range(40):
                    crowd.enter_context(socket.create_connection((host, int(port)), timeout=10))
                began_s, cpu_s = time.monotonic(), processes.cpu_seconds([pid])
                steady(load, 400)
                busy = (processes.cpu_seconds([pid]) - cpu_s) / (time.monotonic() - began_s)
            # The calls themselves take a few percent of a processor; a loop that spins would take all of one.
            assert busy < 0.5
            late = socket.create_connection((host, int(port)), timeout=10)
            late.close()
            until(lambda: faults.stats("frontend")["server"]["accepts_put_off"] >= 1)
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        with faults.load() as newcomers:
            steady(newcomers)
    check(load)
    check(newcomers)
    assert load.failures() == newcomers.failures() == []
    assert faults.pid("frontend") == pid
