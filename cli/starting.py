"""Starts a mesh: in this process, or as a daemon that reports back."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from skysail.cli.output import note
from skysail.control.errors import FailedPrecondition
from skysail.control.home import Home
from skysail.control.launcher import Launcher, Process, Unit, start_ticks
from skysail.control.mesh import MeshOptions
from skysail.control.ports import settle
from skysail.control.running import hold, stop_leftovers

__all__ = ["settle_options", "start_detached", "start_here"]


def settle_options(
    home: Home,
    *,
    grpc: str,
    http: str,
    metrics: str,
    etcd: str | None,
    fused: bool,
    threads: int,
    poll_us: int,
    cache_mib: int,
    hung_after_s: float,
    limit: tuple[str, ...] = (),
    log_format: str = "human",
    log_level: str = "info",
) -> MeshOptions:
    """Checks that the mesh can start, and chooses its ports.

    Raises:
        FailedPrecondition: one is running already, or a port is taken.
        NotFound: there is no etcd to start.
        InvalidArgument: a limit is not one, or out of its range; or there is no such format or level of logs.
    """
    from skysail.control.limits import parse_limits
    from skysail.control.mesh_daemon import find_etcd
    from skysail.telemetry import logs

    parse_limits(limit)
    logs.check(log_format, log_level)
    with hold(home):
        if etcd is None:
            find_etcd()
        how = (fused, threads, poll_us, cache_mib, limit, log_format, log_level)
        if (left := _left_behind(home, how)) is not None:
            wanted = {"grpc": grpc, "http": http, "metrics": metrics}
            same = all(
                address.endswith(":0") or getattr(left, name) == address for name, address in wanted.items()
            )
            if same and etcd == (None if left.etcd_peer else left.etcd):
                return replace(left, hung_after_s=hung_after_s)
        stop_leftovers(home)
    last = home.read("addresses") or {}
    private = last if last.get("etcd_peer") else {}
    return MeshOptions(
        grpc=settle(grpc, preferred=last.get("grpc"), option="--listen"),
        http=settle(http, preferred=last.get("http"), option="--http"),
        metrics=settle(metrics, preferred=last.get("metrics"), option="--metrics"),
        etcd=etcd or settle("127.0.0.1:0", preferred=private.get("etcd"), option="etcd"),
        etcd_peer="" if etcd else settle("127.0.0.1:0", preferred=private.get("etcd_peer"), option="etcd"),
        fused=fused,
        threads=threads,
        poll_us=poll_us,
        cache_mib=cache_mib,
        hung_after_s=hung_after_s,
        limit=limit,
        log_format=log_format,
        log_level=log_level,
    )


def _left_behind(home: Home, how: tuple[object, ...]) -> MeshOptions | None:
    """The options of a run whose supervisor died, when this one could go on with its processes."""
    record = home.read("mesh")
    if record is None:
        return None
    options = MeshOptions(
        **{name: record[name] for name in MeshOptions.__dataclass_fields__ if name in record}
    )
    had = (
        *(options.fused, options.threads, options.poll_us, options.cache_mib, tuple(options.limit)),
        *(options.log_format, options.log_level),
    )
    return options if had == how else None


def start_here(home: Home, options: MeshOptions, on_ready: Callable[[dict[str, Any]], None]) -> None:
    """Runs a mesh in this process until it is told to stop.

    Raises:
        SkysailError: it could not be started.
    """
    import asyncio

    from skysail.control.mesh_daemon import run_mesh
    from skysail.telemetry import logs

    def report(event: dict[str, Any]) -> None:
        if "step" in event:
            note(f"{event['step']} ...")
        if "ready" in event:
            on_ready(event["ready"])

    logs.configure(options.log_format, options.log_level)
    pid = os.getpid()
    me = Process(
        Unit("supervisor", tuple(sys.argv)), pid, start_ticks(pid) or 0, time.time(), os.pidfd_open(pid)
    )
    Launcher(home).record(me)
    asyncio.run(run_mesh(home, options, report))


def start_detached(home: Home, options: MeshOptions) -> dict[str, Any]:
    """Starts the daemon and waits until the mesh is ready; its record.

    Raises:
        FailedPrecondition: it could not be started; the daemon's own words.
    """
    reading, writing = os.pipe()
    command = (sys.executable, "-m", "skysail.control.mesh_daemon", "--options", json.dumps(options.encode()))
    unit = Unit("supervisor", (*command, "--report-fd", str(writing)))
    try:
        daemon = Launcher(home).start(unit, pass_fds=(writing,))
    finally:
        os.close(writing)
    try:
        with os.fdopen(reading) as reports:
            for line in reports:
                event = json.loads(line)
                if "step" in event:
                    note(f"{event['step']} ...")
                elif "ready" in event:
                    ready: dict[str, Any] = event["ready"]
                    return ready
                else:
                    select.select([daemon.pidfd], [], [], 30.0)
                    raise FailedPrecondition(event["error"])
    except KeyboardInterrupt:
        daemon.signal(signal.SIGTERM)
        daemon.wait(30.0)
        raise
    finally:
        daemon.close()
    said = Launcher(home).tail("supervisor", 1)
    raise FailedPrecondition(
        f"the supervisor ended while it was starting: {said[-1] if said else 'it printed nothing'} "
        f"(see {Path(home.log('supervisor'))})"
    )
