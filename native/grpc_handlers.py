"""Runs gRPC handlers written in Python on the native server.

`GrpcHandlers` stands where generated ``add_*_to_server`` code expects a ``grpc.Server``, so that servicers of
any service, `grpc_health` and `grpc_reflection` among them, plug in on the port that serves predictions::

    handlers = GrpcHandlers()
    health_pb2_grpc.add_HealthServicer_to_server(HealthServicer(), handlers.as_grpc_server())
    handlers.attach(server)

Calls run on a bounded pool of threads, each with a `grpc.ServicerContext`. Interceptors are not supported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, cast

import grpc

from skysail.native._core import NativeError, Server, ServerStream
from skysail.native.grpc_context import Aborted, Context

__all__ = ["GrpcHandlers"]

_log = logging.getLogger(__name__)

# A caller that opens a call for one message and sends none holds a thread no longer than this.
FIRST_MESSAGE_TIMEOUT_S = 10.0


class _CallDetails(NamedTuple):
    """What a generic handler looks at to find its method (the shape of `grpc.HandlerCallDetails`)."""

    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...]


class GrpcHandlers:
    """The Python handlers of one native server.

    Args:
        max_workers: Threads that run handlers. A handler that streams holds its thread until it ends.
        max_calls: Calls that run or wait for a thread; further ones get RESOURCE_EXHAUSTED.
    """

    def __init__(self, *, max_workers: int = 16, max_calls: int = 1024) -> None:
        self._registered: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._max_calls = max_calls
        self._room = threading.BoundedSemaphore(max_calls)
        self._pool = ThreadPoolExecutor(max_workers, thread_name_prefix="skysail-grpc")

    def as_grpc_server(self) -> grpc.Server:
        """Itself, as the type that generated code names; only the two ``add_*`` methods exist."""
        return cast(grpc.Server, self)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Adds handlers that find a method by asking each; see `grpc.Server`."""
        self._generic.extend(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Adds a service's methods by name, which are found before generic handlers; see `grpc.Server`."""
        for method, handler in method_handlers.items():
            self._registered[f"/{service_name}/{method}"] = handler

    def attach(self, server: Server) -> None:
        """Makes this the answer to what `server` has no native handler for. Before the server's start."""
        server.set_fallback(self._on_call)

    def close(self) -> None:
        """Waits for the handlers that run; shut the server down first, which ends their calls."""
        self._pool.shutdown(wait=True)

    def _on_call(self, stream: ServerStream) -> None:
        if not self._room.acquire(blocking=False):
            _finish(stream, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._max_calls} calls are running")
            return
        try:
            self._pool.submit(self._run, stream)
        except RuntimeError:  # the pool is shut down
            self._room.release()
            _finish(stream, grpc.StatusCode.UNAVAILABLE, "the server is shutting down")

    def _run(self, stream: ServerStream) -> None:
        try:
            handler = self._find(stream)
            if handler is None:
                _finish(stream, grpc.StatusCode.UNIMPLEMENTED, f"method {stream.method} is not implemented")
            else:
                _Call(stream, handler).run()
        except NativeError as error:
            # The caller left while it was answered; anything else is a defect.
            if error.kind != "Cancelled":
                _log.exception("answering %s failed", stream.method)
        except Exception:
            _log.exception("finding the handler of %s failed", stream.method)
            _finish(stream, grpc.StatusCode.INTERNAL, f"finding the handler of {stream.method} failed")
        finally:
            self._room.release()

    def _find(self, stream: ServerStream) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = self._registered.get(stream.method)
        if handler is not None:
            return handler
        details = cast(grpc.HandlerCallDetails, _CallDetails(stream.method, tuple(stream.metadata)))
        found = (generic.service(details) for generic in self._generic)
        return next((handler for handler in found if handler is not None), None)


class _Call:
    """One call on its way through a handler of any of the four shapes."""

    def __init__(self, stream: ServerStream, handler: grpc.RpcMethodHandler[Any, Any]) -> None:
        self._stream = stream
        self._handler: Any = handler
        self._context = Context(stream)

    def run(self) -> None:
        handler = self._handler
        behaviour = (
            (handler.stream_stream if handler.response_streaming else handler.stream_unary)
            if handler.request_streaming
            else (handler.unary_stream if handler.response_streaming else handler.unary_unary)
        )
        try:
            request = self._requests() if handler.request_streaming else self._one_request()
            if getattr(behaviour, "experimental_non_blocking", False):
                # Answers come from other threads, through the callback, after this one is free again.
                behaviour(request, self._context, send_response_callback=self._send_or_end)
                return
            response = behaviour(request, self._context)
            if handler.response_streaming:
                self._send_all(response)
            elif self._context.succeeded:
                self._send(response)
        except Aborted:
            pass
        except NativeError as error:
            if error.kind == "Cancelled":
                raise
            self._failed(error)
        except Exception as error:
            self._failed(error)
        self._context.finish()

    def _failed(self, error: Exception) -> None:
        # Generated code sets UNIMPLEMENTED and raises: a code that was set stands.
        if self._context.code() is None:
            _log.error("the handler of %s raised", self._stream.method, exc_info=error)
            self._context.set_code(grpc.StatusCode.UNKNOWN)
            self._context.set_details(f"the handler of {self._stream.method} failed")

    def _one_request(self) -> Any:
        try:
            message = self._stream.receive(FIRST_MESSAGE_TIMEOUT_S)
        except TimeoutError:
            self._context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no request message came")
        if message is None:
            self._context.abort(grpc.StatusCode.INTERNAL, "the call ended without a request message")
        return self._decode(message)

    def _requests(self) -> Iterator[Any]:
        while (message := self._stream.receive()) is not None:
            yield self._decode(message)

    def _decode(self, message: bytes) -> Any:
        decode: Callable[[bytes], Any] | None = self._handler.request_deserializer
        if decode is None:
            return message
        try:
            return decode(message)
        except Exception as error:
            self._context.abort(grpc.StatusCode.INTERNAL, f"the request cannot be decoded: {error}")

    def _send(self, response: Any) -> None:
        encode: Callable[[Any], bytes] | None = self._handler.response_serializer
        self._context.send(response if encode is None else encode(response))

    def _send_all(self, responses: Iterable[Any]) -> None:
        try:
            for response in responses:
                self._send(response)
        finally:
            close = getattr(responses, "close", None)
            if close is not None:
                close()

    def _send_or_end(self, response: Any) -> None:
        if response is None:
            self._context.finish()
        elif self._context.is_active():
            with suppress(NativeError):  # the caller left meanwhile
                self._send(response)


def _finish(stream: ServerStream, code: grpc.StatusCode, details: str) -> None:
    if not stream.cancelled:
        stream.finish(code.value[0], details, ())
