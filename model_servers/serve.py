"""Runs one replica as a process: `skysail serve-model`."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import resource
import secrets
import signal
from pathlib import Path

from skysail.control.artefacts import Files, digest_of, verify
from skysail.control.errors import CallFailed, Kind
from skysail.control.limits import parse_limits
from skysail.control.signature_text import format_tensor, parse_tensor
from skysail.model_servers.adapter import Stated
from skysail.model_servers.container import Container, ContainerOptions
from skysail.model_servers.frameworks import loader_of, parse_source
from skysail.model_servers.loading import load_model
from skysail.native._core import NativeError
from skysail.telemetry import logs

__all__ = ["serve_model"]

log = logging.getLogger(__name__)


def serve_model(
    path: str,
    *,
    data: Path | None = None,
    name: str = "",
    version: str = "1",
    listen: str = "127.0.0.1:0",
    etcd: str = "",
    inputs: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
    replica_id: str = "",
    poll_us: int = 0,
    digest: str = "",
    metrics: str = "127.0.0.1:0",
    log_format: str = "human",
    log_level: str = "info",
    limit: tuple[str, ...] = (),
) -> None:
    """Loads, warms up and serves a model until SIGTERM or SIGINT.

    Raises:
        SkysailError: it cannot be loaded, is not what `digest` says, or cannot listen there; or there is no
            such limit, or format or level of logs.
    """
    logs.configure(log_format, log_level)
    # Told to abort, because the model does not return, it prints where it is, and leaves no image of itself.
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    limits = parse_limits(limit)
    source = parse_source(path, data)
    files = Files(source.path, source.data)
    if digest:
        verify(files, digest)
    stated = Stated(tuple(map(parse_tensor, inputs)), tuple(map(parse_tensor, outputs)))
    model = load_model(source, stated)
    options = ContainerOptions(
        model=name or source.path.stem,
        version=version,
        digest=digest or digest_of(files),
        replica_id=replica_id or f"own-{os.getpid()}-{secrets.token_hex(4)}",
        path=source.path,
        loader=loader_of(source),
        listen=listen,
        etcd=etcd,
        poll_us=poll_us,
        metrics=metrics,
        limits=limits,
    )
    takes, gives = (
        ", ".join(map(format_tensor, specs)) for specs in (model.signature.inputs, model.signature.outputs)
    )

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        container = Container(model, options)
        try:
            await container.start()
        except NativeError as error:
            raise CallFailed(Kind.of(error.kind), f"--listen: {error}") from error
        print(
            f"{options.model} version {options.version} is served at {container.address}: "
            f"takes {takes}, gives {gives}",
            flush=True,
        )
        await stop.wait()
        log.info("draining")
        await container.stop()

    asyncio.run(run())
