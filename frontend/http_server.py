"""Runs an ASGI application on uvicorn within a process that has its own signals and event loop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from skysail.control.errors import FailedPrecondition
from skysail.frontend.http_protocol import HttpPatience, PatientConfig

__all__ = ["HttpServer"]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's affair."""
        yield


class HttpServer:
    """Serves until stopped; what is under way then is answered first.

    Args:
        app: what to serve.
        drain_timeout_s: how long requests may take to finish when stopped.
        patience: how long callers may take to say what they want.
    """

    def __init__(self, app: ASGIApp, *, drain_timeout_s: float, patience: HttpPatience) -> None:
        self._server = _Server(
            PatientConfig(
                app,
                patience=patience,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=max(1, round(drain_timeout_s)),
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self, address: str) -> str:
        """Listens on "host:port" and returns the address bound.

        Raises:
            FailedPrecondition: the address cannot be listened on.
        """
        listener = _listen(address)
        self._serving = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listener]))
        while not self._server.started and not self._serving.done():
            await asyncio.sleep(0.001)
        if self._serving.done():
            await self._serving
        host, port = listener.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Takes no new requests, answers those under way, and closes."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named so that asyncio knows it for TCP and turns Nagle's delays off.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise FailedPrecondition(
            f"cannot listen on {address}: {error.strerror}; give another address with --http"
        ) from error
    return listener
