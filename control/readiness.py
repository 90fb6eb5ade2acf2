"""Asks the instances of the next service whether they could answer a name now.

A registration tells only that a process was there within the life of its lease. Whether calls are answered
is known where calls are sent from, so the question takes the way of a call, service by service, and what does
not come back within a moment is a no.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from typing import Any

import grpc

from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc

__all__ = ["NextService"]

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class NextService:
    """Those behind this process. Thread-safe.

    Args:
        patience_s: how long an answer may take.
    """

    def __init__(self, *, patience_s: float = 1.0) -> None:
        self._patience_s = patience_s
        self._mutex = threading.Lock()
        self._channels: dict[str, grpc.Channel] = {}

    def publish(self, addresses: Iterable[str]) -> None:
        """Replaces the set of instances; none: every channel is closed.

        Args:
            addresses: as gRPC writes them.
        """
        wanted = set(addresses)
        with self._mutex:
            for gone in self._channels.keys() - wanted:
                self._channels.pop(gone).close()
            for new in wanted - self._channels.keys():
                self._channels[new] = grpc.insecure_channel(new, options=_OPTIONS)

    def ready(self, names: Iterable[tuple[str, str]]) -> bool:
        """Whether any instance is ready for any of the names, each with a version, "" for any."""
        with self._mutex:
            stubs = [pb_grpc.GRPCInferenceServiceStub(channel) for channel in self._channels.values()]
            calls = [
                stub.ModelReady.future(
                    pb.ModelReadyRequest(name=name, version=version), timeout=self._patience_s
                )
                for name, version in names
                for stub in stubs
            ]
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for call in calls:
            call.add_done_callback(ended.put)
        try:
            return any(_said_yes(ended.get()) for _ in calls)
        finally:
            for call in calls:
                call.cancel()


def _said_yes(call: Any) -> bool:
    return call.code() is grpc.StatusCode.OK and bool(call.result().ready)
