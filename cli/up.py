"""`skysail up` and `skysail down`."""

from __future__ import annotations

from typing import Annotated

import typer

from skysail.cli.output import JsonOption, note, print_json

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(rich_help_panel="Mesh")(up)
    app.command(rich_help_panel="Mesh")(down)


def up(
    fused: Annotated[
        bool, typer.Option("--fused", help="Frontend, selector and batcher in one process instead of three.")
    ] = False,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal; Ctrl-C stops everything.")
    ] = False,
    listen: Annotated[
        str, typer.Option(help="Where to serve gRPC, as host:port; port 0 takes the last one again, or any.")
    ] = "127.0.0.1:0",
    http: Annotated[str, typer.Option(help="Where to serve plain JSON over HTTP.")] = "127.0.0.1:0",
    metrics: Annotated[
        str,
        typer.Option(help="Where Prometheus finds every process; their metrics are on the same host."),
    ] = "127.0.0.1:0",
    etcd: Annotated[
        str | None,
        typer.Option(help="Use the etcd at these endpoints (host:port,...) instead of a private one."),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Event-loop threads of each service.")] = 1,
    poll_us: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            help="Longest wait, in microseconds, that the frontend may poll through instead of sleeping.",
        ),
    ] = 0,
    cache_mib: Annotated[
        int,
        typer.Option(min=0, max=1 << 20, help="What the prediction cache may hold, in MiB; 0 keeps nothing."),
    ] = 24,
    hung_after_s: Annotated[
        float, typer.Option(min=2, max=3600, help="Restart a process that answers nothing for so long.")
    ] = 10.0,
    limit: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE: how much a peer may do; repeatable, see docs/operating.md."),
    ] = None,
    log_format: Annotated[str, typer.Option(help="Logs of every process: human or json.")] = "human",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    as_json: JsonOption = False,
) -> None:
    """Start everything: etcd, the services, and the replicas of what is deployed."""
    from skysail.cli.starting import settle_options, start_detached, start_here
    from skysail.control.home import Home

    home = Home.from_environment()
    options = settle_options(
        home,
        grpc=listen,
        http=http,
        metrics=metrics,
        etcd=etcd,
        fused=fused,
        threads=threads,
        poll_us=poll_us,
        cache_mib=cache_mib,
        hung_after_s=hung_after_s,
        limit=tuple(limit or ()),
        log_format=log_format,
        log_level=log_level,
    )
    if foreground:
        start_here(home, options, lambda record: _print_ready(record, as_json=as_json))
    else:
        _print_ready(start_detached(home, options), as_json=as_json)


def down() -> None:
    """Stop everything; what is deployed is kept and comes back with `up`."""
    from skysail.control.home import Home
    from skysail.control.running import stop_mesh

    home = Home.from_environment()
    note("stopping ..." if stop_mesh(home) else f"Skysail is not running in {home.root}")


def _print_ready(record: dict[str, object], *, as_json: bool) -> None:
    grpc, http, metrics = record["grpc"], record["http"], record["metrics"]
    if as_json:
        print_json(
            {
                "frontend": {"grpc": grpc, "http": http},
                "metrics": metrics,
                "etcd": record["etcd"],
                "pid": record["pid"],
            }
        )
        return
    print(
        f"Skysail is up.\n  gRPC  {grpc}\n  HTTP  http://{http}\n  etcd  {record['etcd']}\n"
        f"  Prometheus finds every process at http://{metrics}/targets\n\n"
        "Next:\n"
        "  skysail deploy NAME model.joblib      or file.py:Class\n"
        "  skysail predict NAME '[[0, 1, 2]]'\n"
        "  skysail status --watch\n"
        "  skysail down"
    )
