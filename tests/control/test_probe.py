"""Questions that a server's event loop answers by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skysail.control import probe
from skysail.control.probe import Probe
from skysail.native import _core as core
from tests.services.conftest import signature


@asynccontextmanager
async def serving(*, health: bool) -> AsyncIterator[tuple[str, core.ModelServer, core.Server]]:
    """A server on a free port, with a model server that nobody runs a model for."""
    loops = core.Loops(1)
    model = core.ModelServer(loops, model="m", version="1", signature=signature())
    server = core.Server(loops)
    if health:
        server.serve_health(model)
    address = server.listen("127.0.0.1:0", inner=True)
    loops.start()
    server.start()
    try:
        yield address, model, server
    finally:
        await asyncio.to_thread(server.shutdown)
        loops.stop()


async def test_server_whose_loop_runs_answers_on_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_MOST_QUESTIONS", 50)
    async with serving(health=True) as (address, _, server), Probe(address) as asked:
        for _ in range(20):
            assert await asked.answers()
            assert await asked.is_healthy()
        assert server.stats()["connections_accepted"] == 1
        for _ in range(20):
            assert await asked.is_healthy()
        assert server.stats()["connections_accepted"] == 2, "before what one may carry is used up"


async def test_health_is_what_the_service_says() -> None:
    async with serving(health=True) as (address, model, _), Probe(address) as asked:
        assert await asked.is_healthy()
        model.resign()
        assert not await asked.is_healthy()
        assert await asked.answers()


async def test_server_that_tells_no_health_is_not_healthy() -> None:
    async with serving(health=False) as (address, _, _), Probe(address) as asked:
        assert not await asked.is_healthy()
        assert await asked.answers()


async def test_probe_does_not_hold_up_a_drain_and_finds_who_comes_after() -> None:
    async with serving(health=True) as (address, _, server), Probe(address) as asked:
        assert await asked.answers()
        began_s = asyncio.get_running_loop().time()
        await asyncio.to_thread(server.shutdown)
        assert asyncio.get_running_loop().time() - began_s < 0.9, "a silent peer is waited for, for a second"
        with pytest.raises(OSError):
            await asked.answers()


async def test_answer_that_comes_too_late_is_no_answer_to_the_next_question() -> None:
    heard: list[bytes] = []
    late = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        await late.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server, Probe(f"{host}:{port}") as asked:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asked.answers()
        assert len(heard) == 2, "each on a connection of its own"
        late.set()
