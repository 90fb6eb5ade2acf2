"""Asks a server of ours whether it lives, in frames that its event loop answers by itself.

That needs neither Python's lock nor a model on the other side: who does not answer is stopped, or stuck for
good. The connection is kept, for a server that has no descriptors left takes no new one, and yet serves.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

__all__ = ["Probe"]

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING = 0, 1, 3, 4, 6
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4
_FRAME_HEADER_BYTES = 9
#: HealthCheckResponse: SERVING.
_SERVING = b"\x08\x01"
#: A new connection is made after so many questions, before what may be sent and received on one is used up.
_MOST_QUESTIONS = 1000


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header as HPACK writes it without a table (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0)
_CHECK = (
    _literal(b":method", b"POST")
    + _literal(b":scheme", b"http")
    + _literal(b":path", b"/grpc.health.v1.Health/Check")
    + _literal(b":authority", b"localhost")
    + _literal(b"te", b"trailers")
    + _literal(b"content-type", b"application/grpc")
)


class Probe:
    """Asks one server, one question at a time; used on one asyncio loop.

    A question that fails closes the connection, and the next one opens another.

    Args:
        address: "host:port" or "unix:/path".
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._connection: _Connection | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def answers(self) -> bool:
        """True when the server has answered.

        Raises:
            OSError: nobody is there, or it hung up.
        """
        connection = await self._connected()
        number = connection.number
        await self._answer(connection, _frame(_PING, 0, 0, number.to_bytes(8, "big")), (_PING, number))
        return True

    async def is_healthy(self) -> bool:
        """What the server says of its health (grpc.health.v1), as it does where a model is served.

        Raises:
            OSError: nobody is there, or it hung up.
        """
        connection = await self._connected()
        stream = 2 * connection.number + 1
        question = _frame(_HEADERS, _END_HEADERS, stream, _CHECK) + _frame(
            _DATA, _END_STREAM, stream, bytes(5)
        )
        return (await self._answer(connection, question, (_DATA, stream)))[5:] == _SERVING

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> _Connection:
        known = self._connection
        if known is None or known.closed or known.number == _MOST_QUESTIONS:
            self.close()
            loop = asyncio.get_running_loop()
            if self.address.startswith("unix:"):
                path = self.address.removeprefix("unix:")
                _, known = await loop.create_unix_connection(_Connection, path)
            else:
                host, _, port = self.address.rpartition(":")
                _, known = await loop.create_connection(_Connection, host.strip("[]"), int(port))
            self._connection = known
        return known

    async def _answer(self, connection: _Connection, question: bytes, wanted: tuple[int, int]) -> bytes:
        try:
            return await connection.ask(question, wanted)
        except BaseException:
            self.close()  # an answer that comes later is no answer to the next question
            raise


class _Connection(asyncio.Protocol):
    """HTTP/2 with nothing but what a question needs."""

    def __init__(self) -> None:
        self.number = 0
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._wanted = (0, 0)
        self._answer: asyncio.Future[bytes] | None = None

    async def ask(self, question: bytes, wanted: tuple[int, int]) -> bytes:
        """The payload of the frame that is wanted: its kind, and its stream or a PING's number."""
        assert self._transport is not None
        self.number += 1
        self._wanted = wanted
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(question)
        return await self._answer

    def close(self) -> None:
        """Hangs up."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(_HELLO)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= _FRAME_HEADER_BYTES:
            end = _FRAME_HEADER_BYTES + int.from_bytes(self._received[:3], "big")
            if len(self._received) < end:
                return
            frame = bytes(self._received[:end])
            del self._received[:end]
            self._take(frame[3], frame[4], int.from_bytes(frame[5:9], "big"), frame[_FRAME_HEADER_BYTES:])

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server hung up"))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self._transport is not None
        if kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind == _PING:
            self._settle((kind, int.from_bytes(payload, "big")), payload)
        elif kind == _DATA:
            self._settle((kind, stream), payload)
        elif kind == _RST_STREAM or (kind == _HEADERS and flags & _END_STREAM):
            self._settle((_DATA, stream), b"")  # an error, if no answer came before it

    def _settle(self, what: tuple[int, int], payload: bytes) -> None:
        if what == self._wanted and self._answer is not None and not self._answer.done():
            self._answer.set_result(payload)
