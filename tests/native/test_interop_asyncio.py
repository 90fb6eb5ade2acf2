"""The native server with Python handlers, called by grpcio's asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from skysail.native.grpc_handlers import GrpcHandlers
from tests.native.echo_service import SERVICE, EchoService


@pytest.fixture
def echo() -> EchoService:
    return EchoService()


@pytest.fixture
async def channel(echo: EchoService, serve: Callable[..., str]) -> AsyncIterator[grpc.aio.Channel]:
    handlers = GrpcHandlers()
    handlers.add_generic_rpc_handlers([echo.generic_handler()])
    async with grpc.aio.insecure_channel(serve(handlers)) as channel:
        yield channel


async def test_all_four_shapes(channel: grpc.aio.Channel) -> None:
    assert await channel.unary_unary(f"/{SERVICE}/unary")(b"hello") == b"hello"
    numbers = [int(message) async for message in channel.unary_stream(f"/{SERVICE}/count")(b"50")]
    assert numbers == list(range(50))
    assert await channel.stream_unary(f"/{SERVICE}/join")(iter([b"a", b"b"])) == b"a+b"
    chat = channel.stream_stream(f"/{SERVICE}/chat")()
    for i in range(10):
        await chat.write(str(i).encode())
        assert await chat.read() == f"re: {i}".encode()
    await chat.done_writing()
    assert await chat.read() is grpc.aio.EOF
    assert await chat.code() is grpc.StatusCode.OK


async def test_many_calls_at_once_each_get_their_answer(channel: grpc.aio.Channel) -> None:
    call = channel.unary_unary(f"/{SERVICE}/unary")
    messages = [str(i).encode() for i in range(300)]
    assert await asyncio.gather(*(call(message) for message in messages)) == messages


async def test_errors_metadata_and_deadlines(channel: grpc.aio.Channel, echo: EchoService) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"/{SERVICE}/fail")("NOT_FOUND niemand da: 猫".encode())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "niemand da: 猫"
    assert ("why-bin", b"\x00\xff") in list(caught.value.trailing_metadata())
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await channel.unary_unary(f"/{SERVICE}/wait")(b"", timeout=0.2)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await asyncio.to_thread(echo.over.wait, 5)


async def test_a_cancelled_task_cancels_the_call(channel: grpc.aio.Channel, echo: EchoService) -> None:
    task = asyncio.ensure_future(channel.unary_unary(f"/{SERVICE}/wait")(b""))
    assert await asyncio.to_thread(echo.entered.wait, 5)
    task.cancel()
    assert await asyncio.to_thread(echo.over.wait, 5)
