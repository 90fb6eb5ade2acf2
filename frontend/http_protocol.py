"""HTTP/1.1 as uvicorn speaks it, with an end to the patience that slow callers get.

uvicorn bounds the silence between requests alone. Here the head of a request has a time in which to come
whole, and what has begun beyond it – a body, an answer that waits to be taken – must go on, by a KiB at
least, in the time that it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["HttpPatience", "PatientConfig"]

_WORTHWHILE_BYTES = 1024


@dataclass(frozen=True)
class HttpPatience:
    """How long a caller may take, in seconds.

    Attributes:
        head_s: until the head of a request is complete, from its first byte or from connecting.
        body_s: in which a body must go on.
        untaken_s: in which an answer must be taken further; 0: any time.
    """

    head_s: float
    body_s: float
    untaken_s: float

    @classmethod
    def of(cls, limits: Mapping[str, int]) -> Self:
        """As the limits of peers say, by which gRPC's callers are held too."""
        return cls(
            head_s=limits["handshake_timeout_ms"] / 1000,
            body_s=limits["incomplete_timeout_ms"] / 1000,
            untaken_s=limits["untaken_timeout_ms"] / 1000,
        )


class PatientConfig(uvicorn.Config):
    """uvicorn's configuration, for callers that are held to `patience`."""

    def __init__(self, app: Any, *, patience: HttpPatience, **options: Any) -> None:
        super().__init__(app, http=_PatientProtocol, **options)
        self.patience = patience


class _PatientProtocol(H11Protocol):
    """One connection. A timer is armed when the caller comes to owe something, not when it sends."""

    def __init__(self, config: uvicorn.Config, *rest: Any, **named: Any) -> None:
        super().__init__(config, *rest, **named)
        self._patience = cast(PatientConfig, config).patience
        self._owed: str | None = None  # "head" or "body"
        self._received_bytes = 0
        self._read_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._owe("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._owe(None)
        self._stop_watching_writes()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received_bytes += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        """Looks, whenever bytes have come or an answer is complete, at what the caller owes then."""
        super().handle_events()
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._owe("body")
        elif state is not h11.IDLE:
            self._owe(None)
        elif self.conn.trailing_data[0] or self.cycle is None:  # a head has begun, or is the first
            self._owe("head")
        else:
            self._owe(None)

    def _owe(self, what: str | None) -> None:
        if what == self._owed:
            return
        self._owed = what
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
        if what is not None:
            self._watch_reads()

    def _watch_reads(self) -> None:
        self._received_bytes = 0
        wait_s = self._patience.head_s if self._owed == "head" else self._patience.body_s
        self._read_timer = self.loop.call_later(wait_s, self._look_at_reads)

    def _look_at_reads(self) -> None:
        goes_on = self.flow.read_paused or self._received_bytes >= _WORTHWHILE_BYTES
        if self._owed == "body" and goes_on:
            return self._watch_reads()
        self._read_timer = None
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._patience.untaken_s > 0:
            self._watch_writes()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_watching_writes()

    def _stop_watching_writes(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _watch_writes(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self._patience.untaken_s, self._look_at_writes, left)

    def _look_at_writes(self, before: int) -> None:
        if before - self.transport.get_write_buffer_size() >= _WORTHWHILE_BYTES:
            return self._watch_writes()
        self._write_timer = None
        self.transport.abort()
