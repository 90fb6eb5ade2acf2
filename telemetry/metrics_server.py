"""The port on which a process tells its metrics: GET /metrics, and GET /targets where it knows the others.

Runs on the process's own asyncio loop. What it holds for strangers is bounded: connections, the size of a
request, the time that one may take. A connection answers one request.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus

from skysail.control.errors import FailedPrecondition
from skysail.telemetry.collector import Stats, render
from skysail.telemetry.targets import TargetGroup

__all__ = ["MetricsServer"]

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 16
_MOST_REQUEST_BYTES = 8192
_PATIENCE_S = 5.0


class MetricsServer:
    """Serves until stopped.

    Args:
        stats: the counters of the process; called on a thread of its own.
        targets: every process that tells metrics, for Prometheus' HTTP service discovery; called on a thread
            of its own. None: this process does not know.
    """

    def __init__(
        self, stats: Callable[[], Stats], targets: Callable[[], Iterable[TargetGroup]] | None = None
    ) -> None:
        self._answers: dict[str, Callable[[str], tuple[bytes, str]]] = {
            "/metrics": lambda accept: render(stats(), accept)
        }
        if targets is not None:
            self._answers["/targets"] = lambda _: (json.dumps(list(targets())).encode(), "application/json")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, address: str) -> str:
        """Listens on "host:port" and returns the address bound.

        Raises:
            FailedPrecondition: the address cannot be listened on.
        """
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._connected, host.strip("[]"), int(port), limit=_MOST_REQUEST_BYTES
            )
        except OSError as error:
            raise FailedPrecondition(
                f"cannot listen on {address}: {error.strerror}; give another address with --metrics"
            ) from error
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Closes the port and every connection. Idempotent."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body, media_type = await self._answer(head.decode("latin-1"))
                writer.write(
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {media_type}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                )
                writer.write(body)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            with suppress(RuntimeError):
                writer.close()

    async def _answer(self, head: str) -> tuple[HTTPStatus, bytes, str]:
        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        answer = self._answers.get(rest.partition(" ")[0].partition("?")[0])
        hint = "".join(f"GET {path}\n" for path in self._answers).encode()
        if answer is None:
            return HTTPStatus.NOT_FOUND, hint, "text/plain"
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, hint, "text/plain"
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        try:
            body, media_type = await asyncio.to_thread(answer, headers.get("accept", ""))
        except Exception:
            log.exception("%s could not be answered", request)
            return HTTPStatus.INTERNAL_SERVER_ERROR, b"the process's log says more\n", "text/plain"
        return HTTPStatus.OK, body, media_type
