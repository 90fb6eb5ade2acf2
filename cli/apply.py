"""`skysail apply` and `skysail export`: the configuration as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from skysail.cli.origin import ReasonOption, origin
from skysail.cli.output import JsonOption, note, print_json

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(rich_help_panel="Configuration")(apply)
    app.command(rich_help_panel="Configuration")(export)


def apply(
    file: Annotated[
        Path,
        typer.Option("--file", "-f", help="YAML, as `skysail export` prints it; - reads standard input."),
    ],
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the file does not state.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout_s: Annotated[float, typer.Option(help="How long to wait for replicas and services.")] = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring applications, models and routes to what a file states; shows the plan first."""
    import asyncio

    from skysail.cli.plans import Options, carry_out
    from skysail.control import declaration
    from skysail.control.configuration import Configuration
    from skysail.control.errors import InvalidArgument

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{file} is no text: {error}") from None
    try:
        stated = declaration.read(text)
    except InvalidArgument as error:
        raise InvalidArgument(f"{file}: {error}") from None

    def wanted(now: Configuration) -> Configuration:
        return stated if prune else {**now, **stated}

    options = Options(dry_run=dry_run, ask=not yes and not as_json, timeout_s=timeout_s, as_json=as_json)
    asyncio.run(carry_out(wanted, action=f"apply {file.name}", origin=origin(reason), options=options))


def export(as_json: JsonOption = False) -> None:
    """Print applications, models and versions as a file for `skysail apply`."""
    import asyncio

    from skysail.control import configuration, declaration

    now, rejected = asyncio.run(_read())
    for key, why in rejected.items():
        note(f"left out {configuration.title(key)}, which is illegal: {why}")
    if as_json:
        print_json(configuration.encode(now))
    else:
        print(declaration.write(now), end="")


async def _read() -> tuple[dict[str, Any], dict[str, str]]:
    from skysail.cli.waiting import open_store
    from skysail.control.configuration import of_snapshot
    from skysail.control.home import Home
    from skysail.control.keys import PREFIX
    from skysail.control.snapshot import Assembler

    async with open_store(Home.from_environment()) as store:
        assembler = Assembler()
        snapshot = assembler.load(await store.list(PREFIX))
        return of_snapshot(snapshot), assembler.rejected
