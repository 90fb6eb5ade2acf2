"""Spans of one call, asked of every process of a mesh."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc

from skysail.cli.waiting import read_snapshot
from skysail.control.errors import InvalidArgument, NotFound
from skysail.control.store import Store
from skysail.proto import admin_pb2, admin_pb2_grpc

__all__ = ["Span", "Trace", "find"]

_TIMEOUT_S = 5.0
#: What a process keeps is some ten megabytes at most.
_OPTIONS = [("grpc.max_receive_message_length", 64 << 20)]

Span = dict[str, Any]


@dataclass(frozen=True)
class Trace:
    """One call.

    Attributes:
        trace_id: 32 hexadecimal digits.
        spans: of the call, from the first to begin to the last.
        batches: the spans of each batch that it was in, by the trace of the batch: its own, those of its
            replica, and those of its other members.
    """

    trace_id: str
    spans: list[Span]
    batches: dict[str, list[Span]]

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {"trace_id": self.trace_id, "spans": self.spans, "batches": self.batches}


async def find(store: Store, *, application: str | None, slow: bool, id_: str | None) -> Trace:
    """The trace asked for; the latest call that was kept, or the slowest, when none is named.

    Raises:
        InvalidArgument: that is no id.
        NotFound: nobody knows such a call (any more).
    """
    snapshot = await read_snapshot(store)
    everyone = [one.address for one in snapshot.instances.values()]
    everyone += [one.address for one in snapshot.replicas.values()]
    trace_id = _trace_id(id_) if id_ is not None else None
    if trace_id is None:
        calls = [
            span
            for span in await _ask(everyone, [])
            if application in (None, span["attributes"].get("skysail.application"))
        ]
        if not calls:
            whose = f"application {application!r}" if application else "any application"
            raise NotFound(
                f"no call of {whose} was kept: those are that fail, are late or answered by default, and the "
                "part that its field trace_sampling says"
            )
        chosen = max(calls, key=_duration if slow else lambda span: span["end_unix_ns"])
        trace_id = chosen["trace_id"]
    spans = [span for span in await _ask(everyone, [trace_id]) if span["trace_id"] == trace_id]
    if not spans:
        raise NotFound(f"no process knows trace {trace_id} (any more)")
    linked = {link["trace_id"] for span in spans for link in span["links"]}
    about_batches = await _ask(everyone, sorted(linked)) if linked else []
    batches = {
        batch: [
            span
            for span in about_batches
            if span["trace_id"] == batch
            or (span["trace_id"] != trace_id and any(link["trace_id"] == batch for link in span["links"]))
        ]
        for batch in sorted(linked)
    }
    return Trace(trace_id, spans, batches)


def _trace_id(text: str) -> str:
    """Hexadecimal digits, as they are or out of a traceparent."""
    parent = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", text)
    digits = parent[1] if parent else text.lower().replace("-", "")
    if re.fullmatch(r"[0-9a-f]{32}", digits) is None:
        raise InvalidArgument(f"--id must be 32 hexadecimal digits, got {text!r}")
    return digits


def _duration(span: Span) -> int:
    return cast(int, span["end_unix_ns"] - span["start_unix_ns"])


async def _ask(addresses: Iterable[str], traces: Sequence[str]) -> list[Span]:
    """What all of them know, each span once, in order of time."""
    answers = await asyncio.gather(*(_ask_one(address, traces) for address in addresses))
    found = {(span["trace_id"], span["span_id"]): span for spans in answers for span in spans}
    return sorted(found.values(), key=lambda span: (span["start_unix_ns"], -span["end_unix_ns"]))


async def _ask_one(address: str, traces: Sequence[str]) -> list[Span]:
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        stub = cast("admin_pb2_grpc.AdminAsyncStub", admin_pb2_grpc.AdminStub(channel))
        try:
            answer = await stub.GetSpans(admin_pb2.GetSpansRequest(trace_ids=traces), timeout=_TIMEOUT_S)
        except grpc.RpcError:
            return []
    return cast("list[Span]", json.loads(answer.spans_json))
