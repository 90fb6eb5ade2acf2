"""`skysail top`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysail.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["register"]

#: The rows of a table that are shown; the busiest come first.
ROWS = 20


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Mesh")(top)


def top(
    last_s: Annotated[
        float, typer.Option("--last-s", min=1, max=3600, help="Show the last so many seconds, at the least.")
    ] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="Show it once instead of every second.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Watch what is called now: rates, latencies, batches, queues and cache hits of the last seconds."""
    import asyncio

    asyncio.run(_run(last_s, once=once, as_json=as_json))


async def _run(last_s: float, *, once: bool, as_json: bool) -> None:
    import asyncio
    from contextlib import nullcontext

    from rich.console import Console
    from rich.live import Live

    from skysail.cli.busy import busy
    from skysail.cli.gathering import take_window
    from skysail.cli.waiting import open_store
    from skysail.control.home import Home

    console = Console()
    live = Live(console=console, auto_refresh=False, screen=True)
    whole_screen = console.is_terminal and not once and not as_json
    async with open_store(Home.from_environment()) as store:
        with live if whole_screen else nullcontext():
            while True:
                found = busy(*await take_window(store, from_s=last_s))
                if as_json:
                    print_json(found)
                elif whole_screen:
                    live.update(render(found), refresh=True)
                else:
                    console.print(render(found))
                if once:
                    return
                await asyncio.sleep(1.0)


def render(found: dict[str, Any]) -> Group:
    """What `busy` found, as tables."""
    from rich.console import Group

    from skysail.cli.tables import table

    return Group(
        f"The last {found['seconds']:g} s; times are in milliseconds, rates per second.",
        table(
            "Applications",
            found["applications"][:ROWS],
            name="name",
            rate="rate_per_s",
            p50="p50_ms",
            p99="p99_ms",
            objective="objective_ms",
            errors="errors_per_s",
            defaults="defaults_per_s",
            flying="in_flight",
        ),
        table(
            "Versions",
            found["versions"][:ROWS],
            model="model",
            version="version",
            rate="rate_per_s",
            batch="batch_rows",
            limit="limit_rows",
            queue="queued",
            wait="wait_p99_ms",
            p50="batch_p50_ms",
            p99="batch_p99_ms",
            hits="hit_rate",
            errors="errors_per_s",
            refused="refused_per_s",
        ),
        table(
            "Replicas",
            found["replicas"][:ROWS],
            model="model",
            version="version",
            replica="replica",
            batches="batches_per_s",
            p50="batch_p50_ms",
            p99="batch_p99_ms",
            lost="lost",
            hung="hung",
        ),
        "wait: a hundredth of calls waits longer for a replica; p50 and p99 of versions are of a batch.",
    )
