"""The native server with Python handlers, called by grpcio's synchronous client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from skysail.native.grpc_handlers import GrpcHandlers
from tests.native.conftest import running_server
from tests.native.echo_service import SERVICE, EchoService


@pytest.fixture
def echo() -> EchoService:
    return EchoService()


@pytest.fixture
def address(echo: EchoService, serve: Callable[..., str]) -> str:
    handlers = GrpcHandlers(max_workers=8)
    handlers.add_generic_rpc_handlers([echo.generic_handler()])
    return serve(handlers, max_message_bytes=1 << 20)


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        yield channel


def unary(channel: grpc.Channel, method: str) -> Any:
    return channel.unary_unary(f"/{SERVICE}/{method}")


def failure(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def test_all_four_shapes_carry_messages_in_order(channel: grpc.Channel) -> None:
    assert unary(channel, "unary")(b"hello") == b"hello"
    assert unary(channel, "unary")(b"") == b""
    assert list(channel.unary_stream(f"/{SERVICE}/count")(b"300")) == [str(i).encode() for i in range(300)]
    assert channel.stream_unary(f"/{SERVICE}/join")(iter([b"a", b"", b"c"])) == b"a++c"
    chat = channel.stream_stream(f"/{SERVICE}/chat")
    assert list(chat(iter([b"1", b"2"]))) == [b"re: 1", b"re: 2"]
    assert list(chat(iter([]))) == []


def test_a_stream_is_answered_message_by_message(channel: grpc.Channel) -> None:
    turn = threading.Semaphore(1)

    def requests() -> Iterator[bytes]:
        for i in range(20):
            assert turn.acquire(timeout=5)
            yield str(i).encode()

    answers = []
    for answer in channel.stream_stream(f"/{SERVICE}/chat")(requests()):
        answers.append(answer)
        turn.release()
    assert answers == [f"re: {i}".encode() for i in range(20)]


def test_many_messages_each_way_are_neither_lost_nor_reordered(channel: grpc.Channel) -> None:
    messages = [bytes([i % 256]) * (i * 37 % 3000) for i in range(2000)]
    answers = channel.stream_stream(f"/{SERVICE}/chat")(iter(messages))
    assert [bytes(answer) for answer in answers] == [b"re: " + message for message in messages]


def test_metadata_goes_both_ways_binary_included(channel: grpc.Channel) -> None:
    sent = (("x-text", "plain"), ("x-twice", "1"), ("x-twice", "2"), ("x-bytes-bin", bytes(range(256))))
    _, call = unary(channel, "unary").with_call(b"", metadata=sent)
    initial = [(k, v) for k, v in call.initial_metadata() if k.startswith("x-")]
    trailing = [(k, v) for k, v in call.trailing_metadata() if k.startswith("x-")]
    assert initial == list(sent)
    assert trailing == list(sent)


def test_status_codes_and_unicode_messages_arrive(channel: grpc.Channel) -> None:
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        error = failure(lambda code=code: unary(channel, "fail")(f"{code.name} größer % 猫\n".encode()))
        assert error.code() is code
        assert error.details() == "größer % 猫\n"
        assert ("why-bin", b"\x00\xff") in [tuple(pair) for pair in error.trailing_metadata()]


def test_a_handler_that_raises_is_answered_neutrally_and_the_next_call_is_served(
    channel: grpc.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    error = failure(lambda: unary(channel, "broken")(b""))
    assert error.code() is grpc.StatusCode.UNKNOWN
    assert "secret" not in error.details()
    assert "secret" in caplog.text
    assert unary(channel, "unary")(b"next") == b"next"


def test_a_code_that_was_set_before_the_raise_stands(channel: grpc.Channel) -> None:
    error = failure(lambda: unary(channel, "unimplemented")(b""))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNIMPLEMENTED, "not here")


def test_unknown_methods_and_services_are_unimplemented(channel: grpc.Channel) -> None:
    for method in (f"/{SERVICE}/nothing", "/no.Service/unary"):
        error = failure(lambda method=method: channel.unary_unary(method)(b""))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED
        assert method in error.details()


def test_the_callers_deadline_reaches_the_handler(channel: grpc.Channel, echo: EchoService) -> None:
    unary(channel, "unary")(b"", timeout=7)
    # grpcio rounds what it sends up.
    assert echo.remaining_s is not None and 5 < echo.remaining_s < 7.5
    unary(channel, "unary")(b"")
    assert echo.remaining_s is None


def test_a_deadline_ends_the_call_in_time_and_tells_the_handler(
    channel: grpc.Channel, echo: EchoService
) -> None:
    started = time.monotonic()
    error = failure(lambda: unary(channel, "wait")(b"", timeout=0.2))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 5
    assert echo.over.wait(5)


def test_a_caller_that_cancels_is_noticed(channel: grpc.Channel, echo: EchoService) -> None:
    call = unary(channel, "wait").future(b"")
    assert echo.entered.wait(5)
    call.cancel()
    assert echo.over.wait(5)
    assert unary(channel, "unary")(b"next") == b"next"


def test_cancelling_a_stream_ends_its_handler(channel: grpc.Channel, echo: EchoService) -> None:
    stream = channel.unary_stream(f"/{SERVICE}/flood")(b"")
    for _ in range(3):
        assert len(next(stream)) == 65536
    stream.cancel()
    assert echo.over.wait(5)


def test_a_reader_that_stops_holds_the_handler_up_and_gets_everything_later(channel: grpc.Channel) -> None:
    stream = channel.unary_stream(f"/{SERVICE}/count")(b"40000")
    first = next(stream)
    time.sleep(0.2)  # the windows fill: the handler waits, the server's memory does not grow
    rest = [int(message) for message in stream]
    assert [int(first), *rest] == list(range(40000))


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_read(channel: grpc.Channel, compression: grpc.Compression) -> None:
    call = unary(channel, "unary")
    assert call(b"squeeze " * 1000, compression=compression) == b"squeeze " * 1000


def test_large_messages_pass_up_to_the_limit_and_not_beyond(channel: grpc.Channel) -> None:
    limit = 1 << 20
    assert unary(channel, "unary")(b"x" * limit) == b"x" * limit
    for compression in (None, grpc.Compression.Gzip):
        error = failure(lambda c=compression: unary(channel, "unary")(b"x" * (limit + 1), compression=c))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(limit) in error.details()
    assert unary(channel, "unary")(b"next") == b"next"


def test_answers_may_be_larger_than_any_window(channel: grpc.Channel) -> None:
    assert len(unary(channel, "size")(b"20000000")) == 20_000_000


def test_concurrent_callers_get_their_own_answers(address: str) -> None:
    wrong: list[bytes] = []

    def call(k: int) -> None:
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            for i in range(50):
                message = f"{k}-{i}".encode()
                if unary(channel, "unary")(message) != message:
                    wrong.append(message)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_calls_beyond_the_bound_are_refused_at_once(serve: Callable[..., str]) -> None:
    echo = EchoService()
    handlers = GrpcHandlers(max_workers=1, max_calls=2)
    handlers.add_generic_rpc_handlers([echo.generic_handler()])
    with grpc.insecure_channel(serve(handlers)) as channel:
        running = unary(channel, "wait").future(b"")
        assert echo.entered.wait(5)
        waiting = unary(channel, "unary").future(b"queued")
        deadline = time.monotonic() + 5
        error = None
        while error is None and time.monotonic() < deadline:
            refused = unary(channel, "unary").future(b"", timeout=0.5)
            if refused.exception().code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                error = refused.exception()
        assert error is not None
        running.cancel()
        assert waiting.result(timeout=5) == b"queued"


def test_shutdown_lets_running_calls_finish(echo: EchoService) -> None:
    handlers = GrpcHandlers()
    handlers.add_generic_rpc_handlers([echo.generic_handler()])
    with running_server(handlers) as address:
        channel = grpc.insecure_channel(address)
        call = unary(channel, "wait").future(b"")
        assert echo.entered.wait(5)
        threading.Timer(0.2, echo.over.set).start()
    assert call.result(timeout=5) == b"too late"
    channel.close()
