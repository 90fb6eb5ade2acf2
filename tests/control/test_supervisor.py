"""What the supervisor decides, without a process; and what its loop does, with real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from skysail.control.home import Home
from skysail.control.launcher import Launcher, Unit, find_process
from skysail.control.supervisor import BackOff, Decision, Observed, decide, ended
from skysail.control.supervisor_loop import Supervisor

A, B = Unit("a", ("a",)), Unit("b", ("b",))
NEW_A = Unit("a", ("a", "--more"))
RUNNING = Observed(A, running=True, started_s=0.0)
BACK_OFF = BackOff(first_s=1.0, factor=2.0, limit_s=5.0, healthy_after_s=10.0)


def test_what_is_missing_is_started() -> None:
    assert decide([A, B], {"a": RUNNING}, now_s=1.0) == Decision(start=(B,))


def test_what_runs_as_desired_is_left_alone() -> None:
    assert decide([A], {"a": RUNNING}, now_s=1.0) == Decision()


def test_what_is_not_desired_is_asked_to_end_and_killed_after_its_grace() -> None:
    assert decide([], {"a": RUNNING}, now_s=1.0, grace_s=5.0) == Decision(stop=("a",), ask_again_s=6.0)
    stopping = replace(RUNNING, stopping_s=1.0)
    assert decide([], {"a": stopping}, now_s=5.9, grace_s=5.0) == Decision(ask_again_s=6.0)
    assert decide([], {"a": stopping}, now_s=6.0, grace_s=5.0) == Decision(kill=("a",))
    assert decide([], {"a": replace(stopping, killed=True)}, now_s=9.0) == Decision()
    gone = ended(stopping, now_s=7.0, back_off=BACK_OFF)
    assert decide([], {"a": gone}, now_s=7.0) == Decision(forget=("a",))


def test_changed_command_is_stopped_and_then_started_anew() -> None:
    assert decide([NEW_A], {"a": RUNNING}, now_s=1.0).stop == ("a",)
    stopping = replace(RUNNING, stopping_s=1.0)
    assert decide([NEW_A], {"a": stopping}, now_s=2.0).start == ()
    gone = ended(stopping, now_s=2.0, back_off=BACK_OFF)
    assert decide([NEW_A], {"a": gone}, now_s=2.0).start == (NEW_A,)


def test_unit_that_is_desired_again_while_it_ends_comes_back_without_waiting() -> None:
    gone = ended(replace(RUNNING, stopping_s=1.0), now_s=2.0, back_off=BACK_OFF)
    assert decide([A], {"a": gone}, now_s=2.0).start == (A,)


def test_unit_that_dies_waits_longer_each_time_up_to_the_limit() -> None:
    state, waits = RUNNING, []
    for _ in range(5):
        state = ended(replace(state, running=True, started_s=0.0), now_s=0.5, back_off=BACK_OFF)
        waits.append(state.retry_s - 0.5)
        assert decide([A], {"a": state}, now_s=0.5) == Decision(ask_again_s=state.retry_s)
        assert decide([A], {"a": state}, now_s=state.retry_s).start == (A,)
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_unit_that_ran_well_starts_over_with_a_short_wait() -> None:
    tired = replace(RUNNING, failures=7)
    assert ended(tired, now_s=10.0, back_off=BACK_OFF).retry_s == 11.0


def test_unit_that_had_to_be_replaced_counts_as_failed() -> None:
    state = replace(RUNNING, stopping_s=1.0, condemned="it uses too much")
    gone = ended(state, now_s=2.0, back_off=BACK_OFF)
    assert (gone.failures, gone.last_end, gone.retry_s) == (1, "it uses too much", 3.0)
    assert decide([A], {"a": gone}, now_s=2.5) == Decision(ask_again_s=3.0)
    assert decide([A], {"a": gone}, now_s=3.0).start == (A,)


def sleeper(name: str, stage: int = 0, code: str = "import time; time.sleep(60)") -> Unit:
    return Unit(name, (sys.executable, "-c", code), stage=stage)


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
def launcher(skysail_home: Path) -> Launcher:
    return Launcher(Home(skysail_home))


async def test_killed_process_is_restarted_and_everything_ends_on_stop(launcher: Launcher) -> None:
    supervisor = Supervisor(launcher, lambda: [sleeper("one"), sleeper("two", stage=1)])
    loop = asyncio.create_task(supervisor.run())
    await until(lambda: len(supervisor.running()) == 2)
    first = supervisor.running()["one"]
    os.kill(first.pid, signal.SIGKILL)
    await until(lambda: "one" in supervisor.running() and supervisor.running()["one"].pid != first.pid)
    one, two = supervisor.observed()["one"], supervisor.observed()["two"]
    assert (one.failures, one.starts, two.starts) == (1, 2, 1)
    loop.cancel()
    pids = [process.pid for process in supervisor.running().values()]
    await supervisor.stop()
    assert supervisor.running() == {}
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_condemned_process_is_killed_when_it_does_not_listen_and_another_takes_its_place(
    launcher: Launcher,
) -> None:
    supervisor = Supervisor(launcher, lambda: [sleeper("one")], back_off=BackOff(first_s=0.01), grace_s=0.1)
    loop = asyncio.create_task(supervisor.run())
    await until(lambda: "one" in supervisor.running())
    first = supervisor.running()["one"].pid
    os.kill(first, signal.SIGSTOP)
    supervisor.condemn("one", "it hangs")
    await until(lambda: "one" in supervisor.running() and supervisor.running()["one"].pid != first)
    assert supervisor.observed()["one"].last_end == "it hangs"
    loop.cancel()
    await supervisor.stop()


async def test_higher_stage_is_gone_before_the_lower_is_asked(launcher: Launcher, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(float(sys.argv[2]))\n"
        f"    open({str(said)!r}, 'a').write(sys.argv[1])\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"open({str(tmp_path)!r} + '/' + sys.argv[1], 'w').close()\n"
        "time.sleep(60)\n"
    )
    low = Unit("low", (sys.executable, "-c", code, "l", "0"), stage=0)
    high = Unit("high", (sys.executable, "-c", code, "h", "0.3"), stage=1)
    supervisor = Supervisor(launcher, lambda: [low, high])
    supervisor.step()
    await until(lambda: (tmp_path / "l").exists() and (tmp_path / "h").exists())
    await supervisor.stop()
    assert said.read_text() == "hl"


async def test_processes_of_a_dead_supervisor_are_adopted_not_started_twice(launcher: Launcher) -> None:
    unit = sleeper("one")
    before = launcher.start(unit)
    try:
        supervisor = Supervisor(launcher, lambda: [unit])
        assert supervisor.adopt() == 1
        supervisor.step()
        assert supervisor.running()["one"].pid == before.pid
        await supervisor.stop()
        assert before.wait(5.0)
    finally:
        before.signal(signal.SIGKILL)
        before.close()


async def test_command_that_cannot_be_started_is_tried_again_later(launcher: Launcher) -> None:
    supervisor = Supervisor(
        launcher, lambda: [Unit("none", ("/nowhere/none",))], back_off=BackOff(first_s=0.01)
    )
    loop = asyncio.create_task(supervisor.run())
    await until(lambda: supervisor.observed()["none"].failures >= 2 if supervisor.observed() else False)
    assert supervisor.running() == {}
    loop.cancel()


def test_process_with_the_pid_of_another_time_is_not_ours(skysail_home: Path, launcher: Launcher) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        home = Home(skysail_home)
        home.write(
            "processes/a",
            {
                "pid": stranger.pid,
                "start_ticks": 1,
                "started_at_s": time.time(),
                "argv": [],
                "env": {},
                "stage": 0,
            },
        )
        assert find_process(home, "a") is None
        assert list(launcher.adopt()) == []
        assert stranger.poll() is None
        stranger.kill()


async def test_log_holds_what_was_printed_since_the_latest_start(launcher: Launcher) -> None:
    for text in ("old", "new"):
        process = launcher.start(sleeper("talker", code=f"print('{text}')"))
        assert process.wait(10.0)
        process.reap()
        process.close()
    assert launcher.tail("talker") == ["new"]
