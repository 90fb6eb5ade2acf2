"""`skysail deploy` and `skysail scale`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from skysail.cli.origin import ReasonOption, origin
from skysail.cli.output import JsonOption, note, print_json

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(rich_help_panel="Models")(deploy)
    app.command(rich_help_panel="Models")(scale)


def deploy(
    name: Annotated[str, typer.Argument(help="The model's name; callable under it at once.")],
    path: Annotated[str, typer.Argument(help="model.joblib, or file.py:Class.")],
    version: Annotated[
        str | None, typer.Option(help="The version's name. Left out: the next whole number.")
    ] = None,
    slo_ms: Annotated[
        float | None,
        typer.Option(help="Latency objective. A larger one allows larger batches. [1000 at first]"),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(help=r"Share of the model where others ask it too, 0.01 to 100. \[1 at first]"),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(help=r"high, normal or low: higher classes go first. \[normal at first]"),
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Copies, each a process. [1 at first]")
    ] = None,
    default: Annotated[
        str | None,
        typer.Option(help="One row of output as JSON, answered when no model answers in time."),
    ] = None,
    cache: Annotated[str | None, typer.Option(help=r"on or off. \[on at first]")] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help=r"Memory of a replica, as 2GiB; 0: no limit. \[no limit at first]"),
    ] = None,
    open_files: Annotated[
        int | None,
        typer.Option(help=r"Files that a replica may have open; 0: as the supervisor. \[0 at first]"),
    ] = None,
    nice: Annotated[
        int | None,
        typer.Option(help=r"0 to 19: lets others go before the replicas on a busy processor. \[0 at first]"),
    ] = None,
    keep_warm: Annotated[
        int | None,
        typer.Option(min=0, max=16, help=r"Versions kept loaded after the calls left them. \[1 at first]"),
    ] = None,
    route: Annotated[
        bool, typer.Option(help="Send the model's calls there. --no-route: load and warm it only.")
    ] = True,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="An input, as x:FP32:[-1,16]; repeatable.")
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option("--output", help="An output, as y:FP32:[-1,1]; repeatable.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A file or folder for the class's load(path).")] = None,
    timeout_s: Annotated[float, typer.Option(help="How long to wait for the replicas.")] = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Serve a model: make a version of what lies at PATH and send the model's calls there."""
    import asyncio

    from skysail.cli.deployment import Request, deploy_model
    from skysail.control.errors import InvalidArgument
    from skysail.control.home import Home
    from skysail.control.sizes import parse_mib

    if cache not in (None, "on", "off"):
        raise typer.BadParameter("must be on or off", param_hint="--cache")
    try:
        parsed = None if default is None else json.loads(default)
    except ValueError as error:
        raise InvalidArgument(f"--default must be JSON, such as 0 or '{{\"label\": 0}}': {error}") from None
    request = Request(
        name=name,
        path=path,
        data=data,
        version=version,
        inputs=tuple(inputs or ()),
        outputs=tuple(outputs or ()),
        replicas=replicas,
        objective_ms=slo_ms,
        weight=weight,
        priority=priority,
        default=parsed,
        cache=None if cache is None else cache == "on",
        resources={
            name: value
            for name, value in (
                ("memory_mib", None if memory is None else parse_mib(memory, option="--memory")),
                ("open_files", open_files),
                ("nice", nice),
            )
            if value is not None
        },
        keep_warm=keep_warm,
        route=route,
        timeout_s=timeout_s,
        origin=origin(reason),
    )
    done = asyncio.run(deploy_model(Home.from_environment(), request, note))
    if as_json:
        print_json(done.encode())
        return
    if not route:
        print(
            f"{done.model} version {done.version} is loaded and warm, and gets no calls yet. Go on with\n"
            f"  skysail rollout {done.model} --to {done.version}"
        )
        return
    print(
        f"{done.model} version {done.version} is served by {done.replicas} replica"
        f"{'s' if done.replicas != 1 else ''}.\n"
        f"  takes   {', '.join(done.inputs)}\n"
        f"  gives   {', '.join(done.outputs)}\n\n"
        "Call it:\n"
        f"  skysail predict {done.model} {done.sample}\n"
        f"  curl http://{done.http}/v2/models/{done.model}/infer -d '{done.sample_http}'\n"
        f'  skysail.Client("{done.grpc}").predict("{done.model}", ...)      in Python'
    )


def scale(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    replicas: Annotated[
        int, typer.Argument(min=0, max=1024, help="Copies of each version that has traffic or is kept warm.")
    ],
    version: Annotated[str | None, typer.Option(help="Of this version alone.")] = None,
    wait: Annotated[bool, typer.Option(help="Return when it is so.")] = True,
    timeout_s: Annotated[float, typer.Option(help="How long to wait.")] = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change how many replicas of a model run."""
    import asyncio

    from skysail.cli.deployment import scale_model
    from skysail.control.home import Home

    revision = asyncio.run(
        scale_model(
            Home.from_environment(),
            name,
            replicas,
            version=version,
            timeout_s=timeout_s if wait else None,
            origin=origin(reason),
        )
    )
    if as_json:
        print_json({"model": name, "replicas": replicas, "revision": revision})
    else:
        which = "each version with traffic" if version is None else f"version {version}"
        count = f"{replicas} replica{'s' if replicas != 1 else ''}"
        print(f"{name} {'has' if wait else 'is to have'} {count} of {which}.")
