"""A grpc++ caller against the native server: every shape, errors, metadata, compression, deadlines."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator

import grpc
import pytest

from skysail.native._core import Loops, Server
from skysail.native.grpc_handlers import GrpcHandlers
from tests.plugins.grpcpp import GrpcppCall

SERVICE = "skysail.test.Echo"
DEADLINE_EXCEEDED, NOT_FOUND, UNIMPLEMENTED = 4, 5, 12


def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
    metadata = {pair.key: pair.value for pair in context.invocation_metadata()}
    context.send_initial_metadata((("first", "1"),))
    context.set_trailing_metadata((("last-bin", bytes(metadata.get("given-bin", b"\x00\xff"))),))
    return request


def refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: „schön“ 100%")


def wait(request: bytes, context: grpc.ServicerContext) -> bytes:
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(30)
    return request


def total(requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    return b"+".join(requests)


def thrice(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    for _ in range(3):
        yield request


def each(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    yield from requests


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    handlers = GrpcHandlers()
    handlers.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                SERVICE,
                {
                    "Echo": grpc.unary_unary_rpc_method_handler(echo),
                    "Refuse": grpc.unary_unary_rpc_method_handler(refuse),
                    "Wait": grpc.unary_unary_rpc_method_handler(wait),
                    "Total": grpc.stream_unary_rpc_method_handler(total),
                    "Thrice": grpc.unary_stream_rpc_method_handler(thrice),
                    "Each": grpc.stream_stream_rpc_method_handler(each),
                },
            )
        ]
    )
    loops = Loops()
    server = Server(loops)
    handlers.attach(server)
    bound = server.listen("127.0.0.1:0")
    loops.start()
    server.start()
    yield bound
    server.shutdown()
    handlers.close()
    loops.stop()


def test_unary_call_with_metadata_both_ways(grpcpp: GrpcppCall, address: str) -> None:
    outcome = grpcpp(address, f"/{SERVICE}/Echo", b"hello", meta={"given-bin": "raw bytes"})
    assert (outcome.code, outcome.messages) == (0, [b"hello"])
    assert ("first", b"1") in outcome.initial
    assert ("last-bin", b"raw bytes") in outcome.trailers


def test_every_stream_shape(grpcpp: GrpcppCall, address: str) -> None:
    assert grpcpp(address, f"/{SERVICE}/Total", b"ab", messages=3).messages == [b"ab+ab+ab"]
    assert grpcpp(address, f"/{SERVICE}/Thrice", b"x").messages == [b"x"] * 3
    assert grpcpp(address, f"/{SERVICE}/Each", b"yz", messages=50).messages == [b"yz"] * 50


def test_empty_and_large_messages(grpcpp: GrpcppCall, address: str) -> None:
    large = bytes(range(256)) * 32768
    assert grpcpp(address, f"/{SERVICE}/Echo", b"").messages == [b""]
    assert grpcpp(address, f"/{SERVICE}/Echo", large).messages == [large]


def test_compressed_request_is_read(grpcpp: GrpcppCall, address: str) -> None:
    message = base64.b64encode(bytes(3000))
    assert grpcpp(address, f"/{SERVICE}/Echo", message, gzip=1).messages == [message]


def test_error_keeps_its_code_and_text(grpcpp: GrpcppCall, address: str) -> None:
    outcome = grpcpp(address, f"/{SERVICE}/Refuse", b"")
    assert (outcome.code, outcome.text) == (NOT_FOUND, "no such thing: „schön“ 100%")
    assert outcome.messages == []


def test_unknown_method_is_unimplemented(grpcpp: GrpcppCall, address: str) -> None:
    assert grpcpp(address, f"/{SERVICE}/Nothing", b"").code == UNIMPLEMENTED
    assert grpcpp(address, "/no.Service/Nothing", b"").code == UNIMPLEMENTED


def test_deadline_ends_a_call_that_does_not_answer(grpcpp: GrpcppCall, address: str) -> None:
    began = time.monotonic()
    assert grpcpp(address, f"/{SERVICE}/Wait", b"", timeout_ms=200).code == DEADLINE_EXCEEDED
    assert time.monotonic() - began < 5
