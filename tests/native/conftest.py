"""A native server in this process, on any free port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from skysail.native._core import Loops, Server
from skysail.native.grpc_handlers import GrpcHandlers


@contextmanager
def running_server(handlers: GrpcHandlers, **options: int) -> Iterator[str]:
    """Serves `handlers`; yields the address."""
    loops = Loops(2)
    loops.start()
    server = Server(loops, drain_timeout_s=1.0, **options)
    handlers.attach(server)
    address = server.listen("127.0.0.1:0")
    server.start()
    try:
        yield address
    finally:
        server.shutdown()
        handlers.close()
        loops.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a server of Python handlers and returns its address; stopped after the test."""
    with ExitStack() as stack:
        yield lambda handlers, **options: stack.enter_context(running_server(handlers, **options))
