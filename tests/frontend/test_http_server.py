"""The HTTP port against callers that take their time. Waits for what must come, for nothing that must not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skysail.frontend.http_protocol import HttpPatience
from skysail.frontend.http_server import HttpServer

LONG_S = 3600.0
SHORT_S = 0.1
ANSWER_BYTES = 32 << 20


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    body = await request.body()
    size = ANSWER_BYTES if request.url.path == "/large" else len(body)
    await Response(b"x" * size)(scope, receive, send)


@asynccontextmanager
async def caller(
    *, head_s: float = LONG_S, body_s: float = LONG_S, untaken_s: float = LONG_S
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, HttpServer]]:
    server = HttpServer(app, drain_timeout_s=1, patience=HttpPatience(head_s, body_s, untaken_s))
    host, _, port = (await server.start("127.0.0.1:0")).rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer, server
    finally:
        writer.transport.abort()
        await server.stop()


async def ended(reader: asyncio.StreamReader) -> bool:
    """The server has closed, in order or not."""
    try:
        async with asyncio.timeout(20):
            while await reader.read(1 << 20):
                pass
    except ConnectionError:
        pass
    return True


async def trickle(writer: asyncio.StreamWriter, text: bytes) -> None:
    for byte in text:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4096\r\n\r\n"
LONG_HEAD = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + 4000 * b"x" + b"\r\n\r\n"


async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    pass


async def send_a_head_by_the_byte(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await trickle(writer, LONG_HEAD[:60])


async def send_a_second_head_by_the_byte(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    await trickle(writer, LONG_HEAD[:60])


@pytest.mark.parametrize(
    "behave", [say_nothing, send_a_head_by_the_byte, send_a_second_head_by_the_byte], ids=lambda f: f.__name__
)
async def test_head_that_does_not_come_in_time_ends_the_connection(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    # The first head must come whole within this, on any machine.
    head_s = 2.0 if behave is send_a_second_head_by_the_byte else SHORT_S
    async with caller(head_s=head_s) as (reader, writer, _):
        behaving = asyncio.create_task(behave(reader, writer))
        await behaving
        assert await ended(reader)


async def test_body_that_does_not_go_on_ends_the_connection() -> None:
    async with caller(body_s=SHORT_S) as (reader, writer, _):
        writer.write(HEAD + b"x")
        assert await ended(reader)


async def test_body_that_goes_on_is_waited_for() -> None:
    async with caller() as (reader, writer, server):
        writer.write(HEAD)
        await connections(server, lambda one: one._owed == "body")
        writer.write(2048 * b"x")
        (protocol,) = await connections(server, lambda one: one._received_bytes >= 2048)
        protocol._look_at_reads()  # the time is up, and 2 KiB have come in it
        writer.write(2048 * b"x")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(4096) == 4096 * b"x"


async def test_answer_that_is_not_taken_ends_the_connection() -> None:
    async with caller(untaken_s=SHORT_S) as (_, writer, server):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        await connections(server, lambda one: one.flow.write_paused)
        await until(lambda: not server._server.server_state.connections)


async def test_caller_between_requests_is_left_to_the_keep_alive_time() -> None:
    async with caller(head_s=SHORT_S) as (reader, writer, server):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        (protocol,) = await connections(server, lambda one: one.timeout_keep_alive_task is not None)
        assert protocol._read_timer is None


async def connections(server: HttpServer, like: Callable[[Any], bool]) -> list[Any]:
    """The protocols of the server's connections, once each is as it should be."""
    found: set[Any] = server._server.server_state.connections
    await until(lambda: bool(found) and all(map(like, found)))
    return list(found)
