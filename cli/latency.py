"""`skysail latency`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysail.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rich.console import Group

    from skysail.control.store import Store
    from skysail.telemetry.breakdown import Breakdown

__all__ = ["register"]

#: How far back services remember.
HOUR_S = 3600.0


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Mesh")(latency)


def latency(
    application: Annotated[str, typer.Argument(help="An application, or a model's name.")],
    last_s: Annotated[
        float, typer.Option("--last-s", min=10, max=HOUR_S, help="Look at the last so many seconds.")
    ] = 60.0,
    versus: Annotated[
        str,
        typer.Option(help="Compare with the calls that MODEL/VERSION answered in the hour before that."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Say in which stage the time of an application's calls goes, and which stage grew.

    Compared is with the version that answered before, when another answers now; else with the hour before.
    """
    import asyncio

    asyncio.run(_run(application, last_s, versus, as_json=as_json))


async def _run(application: str, last_s: float, versus: str, *, as_json: bool) -> None:
    from dataclasses import asdict

    from skysail.cli.waiting import open_store
    from skysail.control.home import Home
    from skysail.telemetry.diagnosis import diagnose

    async with open_store(Home.from_environment()) as store:
        now, before, reference = await _look(store, application, last_s, versus)
    found = diagnose(now, before, reference=reference)
    if as_json:
        print_json({"now": asdict(now), "before": asdict(before), "reference": reference, **asdict(found)})
        return
    from rich.console import Console

    Console().print(render(now, before, reference))
    print(found.sentence)


async def _look(
    store: Store, application: str, last_s: float, versus: str
) -> tuple[Breakdown, Breakdown, str]:
    """Where the time goes, where it went, and what to call the latter."""
    from skysail.cli.gathering import take_window
    from skysail.control import views
    from skysail.control.errors import NotFound
    from skysail.telemetry.breakdown import break_down, predecessor

    snapshot, window = await take_window(store, from_s=last_s)
    if application not in (known := views.applications(snapshot)):
        raise NotFound(f"there is no application {application!r}; there are {', '.join(known) or 'none yet'}")
    now = break_down(window, application)
    _, hour = await take_window(store, from_s=HOUR_S + last_s, to_s=last_s)
    before = break_down(hour, application)
    if versus and versus not in before.versions:
        raise NotFound(
            f"--versus: {versus!r} answered no call in the hour before; "
            f"it was {', '.join(before.versions) or 'no version'}"
        )
    if other := versus or predecessor(now, before):
        return now, break_down(hour, application, version=other), f"by {other}"
    return now, before, "in the hour before"


def render(now: Breakdown, before: Breakdown, reference: str) -> Group:
    """Both as tables, in milliseconds."""
    from rich.console import Group

    from skysail.cli.tables import table
    from skysail.telemetry.breakdown import STAGES, Spread

    def row(name: str, one: Spread, was: Spread | None) -> dict[str, Any]:
        times = (one.mean_s, one.p50_s, one.p95_s, one.p99_s)
        told = dict(zip(("mean", "p50", "p95", "p99"), map(_ms, times), strict=True))
        old = (_ms(was.mean_s), _ms(was.p99_s)) if was and was.count else (None, None)
        return {"name": name, "count": one.count, **told, "old_mean": old[0], "old_p99": old[1]}

    columns = {"calls": "count", "mean": "mean", "p50": "p50", "p95": "p95", "p99": "p99"}
    old = {f"mean {reference}": "old_mean", f"p99 {reference}": "old_p99"}
    stages = [
        row(f"{stage}: {text}", now.stages[stage], before.stages.get(stage))
        for stage, text in STAGES.items()
        if stage in now.stages
    ]
    rest = {"calls": "count", "mean": "mean", "p50": "p50", "p95": "p95", "p99": "p99"}
    hits = "" if now.hit_rate is None else f", {now.hit_rate:.0%} of the look-ups hit"
    return Group(
        f"{now.rate_per_s:.1f} calls/s, {now.refused_per_s:.1f} turned away, "
        f"{now.batch_rows:.1f} rows in a batch{hits}; times are in milliseconds.",
        table("Calls", [row("in all", now.calls, before.calls)], what="name", **columns, **old),
        table("Stages", stages, what="name", **columns, **old),
        table(
            "Batches by replica",
            [row(name, one, before.replicas.get(name)) for name, one in now.replicas.items()],
            **{"replica": "name", **rest, **old},
        ),
        table(
            "Hops",
            [row(name, one, before.hops.get(name)) for name, one in now.hops.items()],
            **{"to": "name", **rest, **old},
        ),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
