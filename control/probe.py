"""Asks a server of ours whether it lives, in frames that its event loop answers by itself.

That needs neither Python's lock nor a model on the other side: who does not answer is stopped, or stuck for
good. A connection each time, so that nothing of an earlier one stands for an answer.
"""

from __future__ import annotations

import asyncio

__all__ = ["answers", "is_healthy"]

_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_FRAME_HEADER_BYTES = 9
#: HealthCheckResponse: SERVING.
_SERVING = b"\x08\x01"


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header as HPACK writes it without a table (RFC 7541, 6.2.2)."""
    return b"\x00" + bytes((len(name),)) + name + bytes((len(value),)) + value


_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0)
_CHECK = (
    _HELLO
    + _frame(
        _HEADERS,
        _END_HEADERS,
        1,
        _literal(b":method", b"POST")
        + _literal(b":scheme", b"http")
        + _literal(b":path", b"/grpc.health.v1.Health/Check")
        + _literal(b":authority", b"localhost")
        + _literal(b"te", b"trailers")
        + _literal(b"content-type", b"application/grpc"),
    )
    + _frame(_DATA, _END_STREAM, 1, bytes(5))  # one empty message, not compressed
)


async def answers(address: str) -> bool:
    """True when the server there has answered.

    Args:
        address: "host:port" or "unix:/path".

    Raises:
        OSError: nobody is there.
        EOFError: it hung up without a word.
    """
    await _ask(address, _HELLO, _SETTINGS)
    return True


async def is_healthy(address: str) -> bool:
    """What the server says of its health (grpc.health.v1), as it does where a model is served.

    Raises:
        OSError: nobody is there.
        EOFError: it hung up without a word.
    """
    return (await _ask(address, _CHECK, _DATA))[5:] == _SERVING


async def _ask(address: str, question: bytes, wanted: int) -> bytes:
    """The payload of the first frame of the kind that is wanted."""
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        writer.write(question)
        while True:
            head = await reader.readexactly(_FRAME_HEADER_BYTES)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == wanted:
                return payload
    finally:
        writer.close()
