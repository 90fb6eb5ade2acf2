"""Service processes: they say where they are, stay small and idle, and drain when told to stop."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from skysail.control import changes, keys
from skysail.control.etcd_store import EtcdStore
from skysail.proto import inference_pb2_grpc as pb_grpc
from tests.frontend.test_mesh import asking, doubling, numbers_of
from tests.plugins.oip_server import Doubler

ROLES = {
    "frontend": ["skysail.frontend", "--http", "127.0.0.1:0"],
    "selector": ["skysail.selector"],
    "batcher": ["skysail.batcher"],
    "fused": ["skysail.frontend", "--fused", "--http", "127.0.0.1:0"],
}


@asynccontextmanager
async def running(role: str, etcd: str, *arguments: str) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    module, *own = ROLES[role]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, "--etcd", etcd, *own, *arguments), stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        if not line:
            assert process.stderr is not None
            raise AssertionError((await process.stderr.read()).decode())
        yield process, json.loads(line)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("role", ROLES)
async def test_a_process_is_small_and_idle_and_leaves_nothing_behind(role: str, etcd: str) -> None:
    store = EtcdStore(etcd)
    await changes.deploy(store, doubling("127.0.0.1:9"))
    async with running(role, etcd) as (process, said):
        assert (said["role"], said["pid"]) == (role, process.pid)
        assert (said["http"] is not None) == (role in ("frontend", "fused"))
        async with asyncio.timeout(10):
            while not (await store.list(keys.instance(role, said["id"]))).entries:
                await asyncio.sleep(0.02)
        before = cpu_s(process.pid)
        await asyncio.sleep(3)
        assert resident_mib(process.pid) < 90
        assert cpu_s(process.pid) - before <= 0.03 + 0.011  # 1%, and the clock's granularity
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    assert not (await store.list(f"{keys.PREFIX}instances/")).entries
    await store.close()


async def test_sigterm_answers_what_is_under_way_first(etcd: str, doubler: Doubler) -> None:
    store = EtcdStore(etcd)
    await changes.deploy(store, doubling(doubler.address), objective_ms=20_000.0)
    async with running("fused", etcd) as (process, said), grpc.aio.insecure_channel(said["grpc"]) as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        assert numbers_of(await stub.ModelInfer(asking(1, 2), timeout=10)) == [2, 4]
        doubler.gate.clear()
        calls = doubler.calls
        pending = asyncio.ensure_future(stub.ModelInfer(asking(3, 4), timeout=20))
        async with asyncio.timeout(10):
            while doubler.calls == calls:
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            while (await store.list(f"{keys.PREFIX}instances/")).entries:
                await asyncio.sleep(0.01)
        assert not pending.done()
        doubler.gate.set()
        assert numbers_of(await pending) == [6, 8]
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    await store.close()


async def test_without_etcd_it_waits_and_can_be_stopped(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skysail.selector", "--etcd", f"127.0.0.1:{nobody.getsockname()[1]}"),
            stdout=PIPE,
            stderr=PIPE,
        )
        assert process.stderr is not None
        async with asyncio.timeout(20):
            line = await process.stderr.readline()
        assert b"cannot be reached" in line
        assert b"--etcd" in line
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            out, _ = await process.communicate()
        assert (process.returncode, out) == (0, b"")


async def test_a_process_logs_an_object_a_line_when_told_to(etcd: str) -> None:
    async with running("selector", etcd, "--log-format", "json", "--log-level", "debug") as (process, said):
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        async with asyncio.timeout(20):
            lines = (await process.stderr.read()).decode().splitlines()
    told = [json.loads(line) for line in lines]
    assert any(f"selector {said['id']} serves at" in one["message"] for one in told)
    assert {one["pid"] for one in told} == {process.pid}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--threads", "0"], 2, "skysail selector: --threads: must be between 1 and 256, got 0"),
        (["--etcd", "nowhere"], 1, "skysail selector: etcd endpoint 'nowhere': write host:port"),
        (["--wrong"], 2, "skysail selector: unrecognized arguments: --wrong; see skysail selector --help"),
    ],
)
async def test_a_wrong_option_is_one_sentence(arguments: list[str], status: int, message: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "skysail.selector", *arguments), stdout=PIPE, stderr=PIPE
    )
    _, err = await process.communicate()
    assert (process.returncode, err.decode().strip()) == (status, message)


@pytest.mark.parametrize("option", ["--listen", "--http"])
async def test_a_port_that_is_taken_is_one_sentence(option: str, etcd: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skysail.frontend", "--etcd", etcd, option, address),
            stdout=PIPE,
            stderr=PIPE,
        )
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    [line] = err.decode().splitlines()
    assert line.startswith("skysail frontend: ")
    assert address in line
