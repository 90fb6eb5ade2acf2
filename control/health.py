"""grpc.health.v1, with watches that do not hold up a drain."""

import threading
from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

__all__ = ["Health"]

Answer = Callable[[health_pb2.HealthCheckResponse | None], None]


class Health(health.HealthServicer):  # type: ignore[misc]  # published without types
    """The usual servicer; `drain` says NOT_SERVING for good and ends the watches, which never end alone."""

    def __init__(self) -> None:
        super().__init__(experimental_non_blocking=True)
        self._mutex = threading.Lock()
        self._watching: set[Answer] = set()

    def Watch(  # noqa: D102
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.ServicerContext,
        send_response_callback: Answer,
    ) -> Any:
        with self._mutex:
            self._watching.add(send_response_callback)
        if not context.add_callback(lambda: self._forget(send_response_callback)):
            self._forget(send_response_callback)
        super().Watch(request, context, send_response_callback)

    def drain(self) -> None:
        """Tells every watcher, and lets it go."""
        self.enter_graceful_shutdown()
        with self._mutex:
            watching, self._watching = self._watching, set()
        for answer in watching:
            answer(None)

    def _forget(self, answer: Answer) -> None:
        with self._mutex:
            self._watching.discard(answer)
