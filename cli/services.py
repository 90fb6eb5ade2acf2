"""`skysail frontend|selector|batcher|serve-model`: one process each; `skysail up` starts them for you."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

# The services read their own options, so that they start without what the other commands import.
_OWN_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    panel = "Single processes"
    for command in (frontend, selector, batcher):
        app.command(rich_help_panel=panel, context_settings=_OWN_OPTIONS)(command)
    app.command("serve-model", rich_help_panel=panel)(serve_model)


def frontend(context: typer.Context) -> None:
    """Run one frontend; with --fused, a frontend, selector and batcher in one."""
    from skysail.frontend import main

    raise typer.Exit(main(context.args))


def selector(context: typer.Context) -> None:
    """Run one selector."""
    from skysail.selector import main

    raise typer.Exit(main(context.args))


def batcher(context: typer.Context) -> None:
    """Run one batcher."""
    from skysail.batcher import main

    raise typer.Exit(main(context.args))


def serve_model(
    path: Annotated[str, typer.Argument(help="model.joblib, or file.py:Class.")],
    name: Annotated[str, typer.Option(help="The model's name. Left out: the file's.")] = "",
    version: Annotated[str, typer.Option(help="The version's name.")] = "1",
    listen: Annotated[str, typer.Option(help="host:port, or unix:/path.")] = "127.0.0.1:0",
    metrics: Annotated[str, typer.Option(help="host:port for GET /metrics.")] = "127.0.0.1:0",
    etcd: Annotated[str, typer.Option(help="Register the replica there. Left out: serve alone.")] = "",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="An input, as x:FP32:[-1,16]; repeatable.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--output", help="An output, as y:FP32:[-1,1]; repeatable.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A file or folder for the class's load(path).")] = None,
    replica_id: Annotated[str, typer.Option(help="The replica's own name. Left out: made up.")] = "",
    poll_us: Annotated[
        int,
        typer.Option(
            min=0, max=10_000, help="Longest wait, in microseconds, to poll through instead of sleeping."
        ),
    ] = 0,
    log_format: Annotated[str, typer.Option(help="human or json, on standard error.")] = "human",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    digest: Annotated[str, typer.Option(help="Refuse another artefact than this, as sha256:...")] = "",
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="How much a peer may do; repeatable. See docs/operating.md."),
    ] = None,
) -> None:
    """Serve one model on its own; any Open Inference Protocol client can call it."""
    from skysail.control.launcher import SINGLE_THREADED

    # Before NumPy is imported, which reads them once.
    for variable, value in SINGLE_THREADED.items():
        os.environ.setdefault(variable, value)
    from skysail.model_servers.serve import serve_model as serve

    serve(
        path,
        data=data,
        name=name,
        version=version,
        listen=listen,
        etcd=etcd,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        replica_id=replica_id,
        poll_us=poll_us,
        digest=digest,
        metrics=metrics,
        log_format=log_format,
        log_level=log_level,
        limit=tuple(limit or ()),
    )
