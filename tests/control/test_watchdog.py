"""Who is replaced, decided without a process; and who answers, asked of real servers."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from skysail.control.process_limits import Usage, impose
from skysail.control.schema import Resources
from skysail.control.watchdog import Seen, Target, Verdict, Watchdog, judge

MIB = 1 << 20
ONE = Target("m@1@0", 11, group="m@1", address="unix:/a", resources=Resources(memory_mib=100))
OTHER = replace(ONE, name="m@1@1", pid=12, address="unix:/b")


def test_process_within_its_limits_is_left_alone() -> None:
    assert judge([Seen(ONE, 9.9, Usage(100 * MIB))], hung_after_s=10) == []
    assert (
        judge([Seen(replace(ONE, resources=Resources()), 0, Usage(1 << 40, 1 << 20))], hung_after_s=10) == []
    )


def test_process_that_answers_nothing_is_killed() -> None:
    assert judge([Seen(ONE, 10.0)], hung_after_s=10) == [
        Verdict("m@1@0", "it has not answered for 10 s", kill=True)
    ]


def test_process_whose_model_does_not_return_is_told_to_say_where_it_is() -> None:
    assert judge([Seen(ONE, 0, stuck_s=9.9)], hung_after_s=10) == []
    assert judge([Seen(ONE, 0, stuck_s=10.0)], hung_after_s=10) == [
        Verdict(
            "m@1@0", "its model has not returned for 10 s, and nobody waits for it", kill=True, trace=True
        )
    ]


def test_replicas_that_outgrew_their_memory_go_one_after_the_other() -> None:
    both = [Seen(ONE, 0, Usage(101 * MIB)), Seen(OTHER, 0, Usage(101 * MIB))]
    assert [verdict.name for verdict in judge(both, hung_after_s=10)] == ["m@1@0"]
    why = judge(both, hung_after_s=10)[0].why
    assert why == "it uses 101 MiB of memory, its limit is 100 MiB"
    starting = [Seen(replace(ONE, address=None), 0), Seen(OTHER, 0, Usage(101 * MIB))]
    assert judge(starting, hung_after_s=10) == []
    away = [Seen(replace(ONE, address=None, pid=None), 0), Seen(OTHER, 0, Usage(101 * MIB))]
    assert judge(away, hung_after_s=10) == []


def test_replica_with_more_files_than_it_may_have_goes_when_the_others_are_there() -> None:
    bounded = replace(ONE, resources=Resources(open_files=64))
    assert judge([Seen(bounded, 0, Usage(0, 64))], hung_after_s=10) == []
    both = [Seen(bounded, 0, Usage(0, 65)), Seen(OTHER, 0)]
    assert judge(both, hung_after_s=10) == [Verdict("m@1@0", "it has 65 open files, its limit is 64")]
    away = [Seen(bounded, 0, Usage(0, 65)), Seen(replace(OTHER, address=None), 0)]
    assert judge(away, hung_after_s=10) == []


def test_replica_far_beyond_its_memory_waits_for_nobody() -> None:
    starting = [Seen(replace(ONE, address=None), 0), Seen(OTHER, 0, Usage(200 * MIB))]
    assert [verdict.name for verdict in judge(starting, hung_after_s=10)] == ["m@1@1"]


def test_services_do_not_wait_for_each_other() -> None:
    services = [
        Seen(Target("batcher", 1), 0),
        Seen(Target("selector", 2, address="unix:/s", resources=Resources(memory_mib=1)), 0, Usage(MIB + 1)),
    ]
    assert [verdict.name for verdict in judge(services, hung_after_s=10)] == ["selector"]


async def test_process_that_loses_its_place_in_the_store_as_it_hangs_is_reported_all_the_same() -> None:
    """Its lease ends, for it does not keep it alive; until it was ready once, nothing is known of it."""
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{silent.getsockname()[1]}"
    verdicts: list[Verdict] = []
    registered: str | None = None

    def targets() -> list[Target]:
        return [Target("m@1@0", os.getpid(), address=registered)]

    watchdog = Watchdog(targets, verdicts.append, hung_after_s=0.2, interval_s=0.02)
    running = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0.4)
    assert verdicts == []
    registered = address
    await asyncio.sleep(0.1)
    registered = None
    async with asyncio.timeout(20):
        while not verdicts:
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    silent.close()


async def test_listener_that_accepts_nothing_is_reported_and_its_memory_bounded() -> None:
    silent = (
        "import socket, time; s = socket.create_server(('127.0.0.1', 0)); "
        "print(s.getsockname()[1]); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-uc", silent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = f"127.0.0.1:{process.stdout.readline().strip()}"
        verdicts: asyncio.Queue[Verdict] = asyncio.Queue()
        resources = Resources(memory_mib=1 << 20, open_files=100, nice=3)
        target = Target("m@1@0", process.pid, address=address, resources=resources)
        watchdog = Watchdog(lambda: [target], verdicts.put_nowait, hung_after_s=0.2, interval_s=0.02)
        running = asyncio.create_task(watchdog.run())
        async with asyncio.timeout(20):
            verdict = await verdicts.get()
        assert verdict.kill
        assert resource.prlimit(process.pid, resource.RLIMIT_DATA)[0] == 2 << 40
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == 200
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(19, own + 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        os.kill(process.pid, signal.SIGKILL)


async def test_a_failed_look_is_logged_and_the_next_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    looks: asyncio.Queue[None] = asyncio.Queue()

    def targets() -> list[Target]:
        looks.put_nowait(None)
        raise ValueError("no such process")

    running = asyncio.create_task(Watchdog(targets, lambda _: None, hung_after_s=1, interval_s=0.01).run())
    async with asyncio.timeout(20):
        for _ in range(3):
            await looks.get()
    assert not running.done() and "no such process" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_limit_above_what_the_system_allows_is_lowered_to_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (1 << 33, 1 << 33))
            impose(process.pid, Resources(memory_mib=1 << 20))
            assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == (1 << 33, 1 << 33)
        finally:
            process.kill()
