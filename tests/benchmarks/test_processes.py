from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import processes

SPIN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_cpu_time_of_children_is_counted_while_they_run_and_after() -> None:
    # The parent starts one child that spins and is waited for, then one that spins and stays.
    parent = (
        "import subprocess, sys\n"
        "spin = sys.argv[1]\n"
        "subprocess.run([sys.executable, '-c', spin])\n"
        "stay = subprocess.Popen([sys.executable, '-c', spin + \"print('spun', flush=True); input()\"],"
        " stdin=subprocess.PIPE)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent, SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "spun\n"
        tree = processes.tree(process.pid)
        assert len(tree) == 2
        assert processes.cpu_seconds(tree) >= 0.55
        process.kill()
        process.stdin and process.stdin.close()


def test_processes_are_found_by_their_environment() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "SKYSAIL_TEST_MARK": "here"},
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert processes.with_environment("SKYSAIL_TEST_MARK", "here") == [process.pid]
        assert processes.with_environment("SKYSAIL_TEST_MARK", "her") == []
        assert processes.rss_bytes(process.pid) > 1_000_000
        assert processes.command_line(process.pid)[1] == "-c"
        process.kill()


def test_a_process_that_is_gone_costs_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert processes.cpu_seconds([process.pid]) == 0
    assert processes.rss_bytes(process.pid) == 0
    assert processes.command_line(process.pid) == []


def test_a_process_gets_a_core_that_the_others_keep_off() -> None:
    waiting = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(waiting, stdin=subprocess.PIPE) as apart,
        subprocess.Popen(waiting, stdin=subprocess.PIPE) as other,
    ):
        cores = os.sched_getaffinity(0)
        with processes.core_apart([apart.pid], [other.pid]):
            own = os.sched_getaffinity(apart.pid)
            assert len(own) == 1
            assert os.sched_getaffinity(other.pid) == os.sched_getaffinity(0) == (cores - own or own)
        for pid in (apart.pid, other.pid, 0):
            assert os.sched_getaffinity(pid) == cores
