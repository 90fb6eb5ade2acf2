"""`skysail trace`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skysail.cli.output import JsonOption

if TYPE_CHECKING:
    from skysail.cli.spans import Trace

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Mesh")(trace)


def trace(
    application: Annotated[str | None, typer.Argument(help="Of which application; left out: any.")] = None,
    slow: Annotated[
        bool, typer.Option("--slow", help="The slowest call that was kept, not the latest.")
    ] = False,
    id_: Annotated[
        str | None, typer.Option("--id", help="This one: a trace's id, or a prediction's that began a trace.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Draw where the time of one call went, with those that shared its batch."""
    import asyncio

    from skysail.cli.output import print_json
    from skysail.cli.spans import find
    from skysail.cli.waiting import open_store
    from skysail.cli.waterfall import draw
    from skysail.control.home import Home

    async def look() -> Trace:
        async with open_store(Home.from_environment()) as store:
            return await find(store, application=application, slow=slow, id_=id_)

    found = asyncio.run(look())
    if json:
        print_json(found.to_json())
    else:
        draw(found)
