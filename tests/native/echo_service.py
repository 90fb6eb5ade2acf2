"""A service of all four shapes over plain bytes, for clients of the native server to call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc

SERVICE = "test.Echo"


class EchoService:
    """Answers what it is asked; metadata steers it."""

    def __init__(self) -> None:
        self.over = threading.Event()  # a call of wait() has ended
        self.entered = threading.Event()
        self.remaining_s: float | None = -1.0

    def unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Echoes; sends every metadata pair named x-* back, initial and trailing."""
        self.remaining_s = context.time_remaining()
        pairs = tuple((k, v) for k, v in context.invocation_metadata() if k.startswith("x-"))
        if pairs:
            context.send_initial_metadata(pairs)
        context.set_trailing_metadata(pairs)
        return request

    def size(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """As many bytes as the request says."""
        return b"z" * int(request)

    def fail(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Ends with the code that comes first in the request and the rest as message."""
        code, message = request.decode().split(" ", 1)
        context.set_trailing_metadata((("why-bin", b"\x00\xff"),))
        context.abort(grpc.StatusCode[code], message)

    def broken(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Raises what no caller should read."""
        raise ValueError("secret")

    def unimplemented(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """What generated code does for methods that a servicer leaves out."""
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("not here")
        raise NotImplementedError("not here")

    def wait(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        """Waits until the caller leaves."""
        assert context.add_callback(self.over.set)
        self.entered.set()
        self.over.wait(10)
        return b"too late"

    def count(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """The numbers below the one in the request."""
        for i in range(int(request)):
            yield str(i).encode()

    def flood(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        """Large messages for as long as somebody listens."""
        try:
            while True:
                yield b"f" * 65536
        finally:
            self.over.set()

    def join(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        """All messages as one."""
        return b"+".join(requests)

    def chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        """Answers each message before the next is read."""
        for request in requests:
            yield b"re: " + request

    def generic_handler(self) -> grpc.GenericRpcHandler:
        """The handler to add to a server."""
        shapes: dict[str, Any] = {
            **{n: grpc.unary_unary_rpc_method_handler for n in ("unary", "size", "fail", "broken", "wait")},
            "unimplemented": grpc.unary_unary_rpc_method_handler,
            "count": grpc.unary_stream_rpc_method_handler,
            "flood": grpc.unary_stream_rpc_method_handler,
            "join": grpc.stream_unary_rpc_method_handler,
            "chat": grpc.stream_stream_rpc_method_handler,
        }
        handlers = {name: shape(getattr(self, name)) for name, shape in shapes.items()}
        return grpc.method_handlers_generic_handler(SERVICE, handlers)
