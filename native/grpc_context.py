"""The `grpc.ServicerContext` that handlers see when they run on the native server."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn, cast

import grpc

from skysail.native._core import NativeError, ServerStream

__all__ = ["Aborted", "Context"]

Metadata = Sequence[tuple[str, str | bytes]]


class Metadatum(NamedTuple):
    """One pair; handlers unpack it or read its fields."""

    key: str
    value: str | bytes


class Aborted(Exception):  # noqa: N818 - not an error of the handler: it chose to end here
    """Unwinds a handler that called `Context.abort`."""


def _code_of(code: grpc.StatusCode | int) -> grpc.StatusCode:
    if isinstance(code, grpc.StatusCode):
        return code
    return next((known for known in grpc.StatusCode if known.value[0] == code), grpc.StatusCode.UNKNOWN)


class Context(grpc.ServicerContext):
    """One call's context. As with grpcio, only the handler's own threads use it, one at a time."""

    def __init__(self, stream: ServerStream) -> None:
        self._stream = stream
        self._code: grpc.StatusCode | None = None
        self._details = ""
        self._trailers: Metadata = ()
        self._finished = False
        self._next_is_plain = False

    # What the call is.

    def is_active(self) -> bool:
        """Whether an answer is still wanted and owed."""
        return not self._finished and not self._stream.cancelled

    def time_remaining(self) -> float | None:  # type: ignore[override]  # the stub forgets calls without one
        """Seconds until the deadline, at least 0; None when the caller set none."""
        remaining = self._stream.remaining_s
        return None if math.isinf(remaining) else max(remaining, 0.0)

    def invocation_metadata(self) -> Any:
        """What the caller sent, as (key, value) pairs."""
        return tuple(Metadatum(key, value) for key, value in self._stream.metadata)

    def peer(self) -> str:
        """Where the caller is, such as ``ipv4:127.0.0.1:5001``."""
        return self._stream.peer

    def peer_identities(self) -> Iterable[bytes] | None:
        """None: callers are not authenticated by the transport."""
        return None

    def peer_identity_key(self) -> str | None:
        """None: callers are not authenticated by the transport."""
        return None

    def auth_context(self) -> Any:
        """Empty: callers are not authenticated by the transport."""
        return {}

    # What the handler says.

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Sends metadata ahead of the first message. Once."""
        self._stream.send_initial_metadata(tuple(initial_metadata))

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Sets the metadata that goes with the status."""
        self._trailers = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        """What `set_trailing_metadata` was given."""
        return self._trailers

    def set_code(self, code: Any) -> None:
        """Sets the status with which the call ends."""
        self._code = _code_of(code)

    def set_details(self, details: str) -> None:
        """Sets the message that goes with a status other than OK."""
        self._details = details

    def code(self) -> Any:
        """The status that was set; None before."""
        return self._code

    def details(self) -> str:
        """The message that was set; empty before."""
        return self._details

    def abort(self, code: Any, details: str) -> NoReturn:
        """Ends the call with an error at once: raises, and does not return."""
        self._code = _code_of(code)
        self._details = details
        if self._code is grpc.StatusCode.OK:
            self._code = grpc.StatusCode.UNKNOWN
            self._details = "the handler aborted the call with the status OK"
        raise Aborted(details)

    def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """Like `abort`, with a status that carries its own trailing metadata."""
        if status.trailing_metadata:
            self._trailers = tuple(cast(Metadata, status.trailing_metadata))
        self.abort(status.code, status.details)

    def set_compression(self, compression: grpc.Compression) -> None:
        """Whether messages are compressed; before any metadata or message. Else as the caller does.

        What is compressed goes as gzip, whichever algorithm is named, to callers that accept it.
        """
        self._stream.set_compression(compression is not grpc.Compression.NoCompression)

    def disable_next_message_compression(self) -> None:
        """Sends the next message as it is even where the call's messages are compressed."""
        self._next_is_plain = True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Has `callback` called when the call is over; False when it is over already."""
        if not self.is_active():
            return False
        self._stream.on_done(callback)
        return True

    def cancel(self) -> bool:
        """Ends the call with CANCELLED; True when it was not over yet."""
        active = self.is_active()
        self._code = grpc.StatusCode.CANCELLED
        self._details = "the server cancelled the call"
        self.finish()
        return active

    # For whoever runs the handler.

    @property
    def succeeded(self) -> bool:
        """Whether the call ends with OK as things stand."""
        return not self._finished and self._code in (None, grpc.StatusCode.OK)

    def send(self, message: bytes) -> None:
        """Sends a message."""
        plain, self._next_is_plain = self._next_is_plain, False
        self._stream.send(message, plain=plain)

    def finish(self) -> None:
        """Sends the status, once; nothing when the caller has left."""
        if self._finished:
            return
        self._finished = True
        code = self._code or grpc.StatusCode.OK
        with suppress(NativeError):  # the caller left meanwhile
            self._stream.finish(code.value[0], self._details, self._trailers)
