"""`skysail history`, `skysail config diff`, `skysail config restore`, `skysail rollback`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from skysail.cli.origin import ReasonOption, origin
from skysail.cli.output import JsonOption, note, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import JsonValue

    from skysail.control.configuration import Configuration
    from skysail.control.history import Change

__all__ = ["register"]

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TimeoutOption = Annotated[float, typer.Option(help="How long to wait for replicas and services.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    config = typer.Typer(help="Compare and restore revisions of the configuration.", no_args_is_help=True)
    config.command()(diff)
    config.command()(restore)
    app.command(rich_help_panel="Configuration")(history)
    app.add_typer(config, name="config", rich_help_panel="Configuration")
    app.command(rich_help_panel="Models")(rollback)


def history(
    model: Annotated[str | None, typer.Argument(help="Of this model or application alone.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many changes, the latest.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what, when, and why."""
    import asyncio

    from skysail.control import configuration
    from skysail.control import history as records

    changes, now = asyncio.run(_read())
    found = [one for one in changes if model is None or any(_is_of(model, key) for key in one.record.edits)]
    found = found[-lines:]
    edited = records.gaps(now, changes)
    if as_json:
        rows = [{"revision": one.revision, **one.record.model_dump(mode="json")} for one in found]
        print_json({"changes": rows, "edited_by_hand": edited})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("revision", "when", "who", "what", "why"):
        table.add_column(column, justify="right" if column == "revision" else "left", overflow="fold")
    for one in found:
        record = one.record
        table.add_row(str(one.revision), record.at[:19], record.author, record.action, record.reason)
    Console().print(table)
    for key, revision in edited.items():
        when = f"before revision {revision}" if revision else "since its latest change"
        note(f"{configuration.title(key)} was edited by hand {when}")


def diff(
    before: Annotated[int, typer.Argument(min=0, help="A revision, as in `skysail history`.")],
    after: Annotated[int | None, typer.Argument(min=0, help="Another. Left out: now.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two revisions of the configuration."""
    import asyncio

    from skysail.cli.plans import describe, encode
    from skysail.control import configuration
    from skysail.control import history as records

    changes, now = asyncio.run(_read())
    old = _decoded(records.undone(now, changes, before))
    new = _decoded(now if after is None else records.undone(now, changes, after))
    plan = configuration.differences(old, new)
    if as_json:
        print_json([encode(one) for one in plan])
    else:
        print("\n".join(describe(plan)) if plan else "No difference.")


def restore(
    revision: Annotated[int, typer.Argument(min=0, help="A revision, as in `skysail history`.")],
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    timeout_s: TimeoutOption = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring everything back to what it was at a revision; shows the plan first."""
    from skysail.control import history as records

    _go_back(
        lambda now, changes: _decoded(records.undone(now, changes, revision)),
        action=f"restore revision {revision}",
        reason=reason,
        dry_run=dry_run,
        ask=not yes,
        timeout_s=timeout_s,
        as_json=as_json,
    )


def rollback(
    model: Annotated[str, typer.Argument(help="The model's name.")],
    to: Annotated[str | None, typer.Option(help="To this version. Left out: to the route before.")] = None,
    revision: Annotated[int | None, typer.Option(min=0, help="To the route of that revision.")] = None,
    dry_run: DryRunOption = False,
    timeout_s: TimeoutOption = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send a model's calls back to the version before, or to another."""
    from skysail.control import rollback as routes

    if to is not None and revision is not None:
        raise typer.BadParameter("give --to or --revision, not both")

    def wanted(now: dict[str, JsonValue], changes: list[Change]) -> Configuration:
        current = _decoded(now)
        if to is not None:
            return routes.to_version(current, model, to)
        return routes.to_earlier(current, now, changes, model, revision=revision)

    _go_back(
        wanted,
        action=f"roll back {model}" + (f" to {to}" if to else ""),
        reason=reason,
        dry_run=dry_run,
        ask=False,
        timeout_s=timeout_s,
        as_json=as_json,
    )


def _go_back(
    wanted: Callable[[dict[str, JsonValue], list[Change]], Configuration],
    *,
    action: str,
    reason: str,
    dry_run: bool,
    ask: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    import asyncio

    from skysail.cli.plans import Options, carry_out
    from skysail.control import configuration

    async def go() -> None:
        changes, _ = await _read()
        options = Options(dry_run=dry_run, ask=ask and not as_json, timeout_s=timeout_s, as_json=as_json)
        await carry_out(
            lambda now: wanted(configuration.encode(now), changes),
            action=action,
            origin=origin(reason),
            options=options,
        )

    asyncio.run(go())


async def _read() -> tuple[list[Change], dict[str, JsonValue]]:
    """The records, and the legal documents as they are now."""
    from skysail.cli.waiting import open_store, read_snapshot
    from skysail.control import configuration
    from skysail.control import history as records
    from skysail.control.home import Home

    async with open_store(Home.from_environment()) as store:
        return await records.read(store), configuration.encode(
            configuration.of_snapshot(await read_snapshot(store))
        )


def _decoded(values: dict[str, JsonValue]) -> Configuration:
    from skysail.control import configuration

    return configuration.decode({key: json.dumps(value).encode() for key, value in values.items()})


def _is_of(name: str, key: str) -> bool:
    from skysail.control import keys

    parsed = keys.parse(key)
    return parsed is not None and parsed.names[0] == name
