"""Runs a service as a process of its own: `skysail frontend|selector|batcher`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence

from skysail.control.errors import SkysailError
from skysail.control.options import parse
from skysail.control.service import Service
from skysail.native import _core as core
from skysail.telemetry import logs

__all__ = ["run"]


def run(service: type[Service], argv: Sequence[str]) -> int:
    """Runs until SIGTERM or SIGINT; returns the exit status: 0 after a drain, 2 for wrong options, else 1.

    Once ready, one line of JSON says where it listens, on standard output or `--ready-fd`.
    """
    try:
        options, etcd, ready_fd = parse(service.role, argv)
    except SkysailError as error:
        print(f"skysail {service.role}: {error}", file=sys.stderr)
        return 2
    logs.configure(options.log_format, options.log_level)

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        running = service(etcd, options)
        announcing: asyncio.Task[None] | None = None
        try:
            await running.start()
            announcing = asyncio.create_task(_announce(running, ready_fd))
            await running.run_until(stop)
        finally:
            if announcing is not None:
                announcing.cancel()
            await running.stop()

    try:
        asyncio.run(serve())
    except (SkysailError, core.NativeError, OSError) as error:
        print(f"skysail {service.role}: {error}", file=sys.stderr)
        return 1
    return 0


async def _announce(service: Service, descriptor: int | None) -> None:
    await service.wait_ready()
    line = json.dumps(
        {
            "role": service.role,
            "id": service.id,
            "grpc": service.address,
            "unix": service.unix_address,
            "http": service.http_address,
            "metrics": service.metrics_address,
            "pid": os.getpid(),
        }
    )
    if descriptor is None:
        print(line, flush=True)
        return
    with open(descriptor, "w", encoding="utf-8") as pipe:
        pipe.write(line + "\n")
