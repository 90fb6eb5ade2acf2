"""From a wanted configuration to a plan that is shown, and carried out when that is agreed to."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import typer
from pydantic import JsonValue

from skysail.cli.output import note, print_json
from skysail.cli.transition import bring_about
from skysail.cli.waiting import open_store, read_snapshot
from skysail.control import configuration, rollouts
from skysail.control.configuration import Configuration, Difference
from skysail.control.errors import FailedPrecondition
from skysail.control.home import Home
from skysail.control.transaction import Origin

__all__ = ["Options", "carry_out", "describe", "encode"]


@dataclass(frozen=True)
class Options:
    """How a plan is treated.

    Attributes:
        dry_run: it is shown only.
        ask: a person has to agree to it first.
        timeout_s: how long replicas and services may take, each time they are waited for.
        as_json: for programs.
    """

    dry_run: bool
    ask: bool
    timeout_s: float
    as_json: bool


async def carry_out(
    wanted: Callable[[Configuration], Configuration], *, action: str, origin: Origin, options: Options
) -> None:
    """Shows what turns the configuration of now into the wanted one, and does it.

    Raises:
        SkysailError: it is not legal, nobody agreed, or it could not be brought about.
    """
    home = Home.from_environment()
    async with open_store(home) as store:
        snapshot = await read_snapshot(store)
        # Rollouts are in no file, and in no revision that is restored: they stay unless one is wanted.
        running = rollouts.documents(snapshot)
        now = {**configuration.of_snapshot(snapshot), **running}
        after = {**running, **wanted(now)}
        configuration.check(after, before=now)
        plan = configuration.differences(now, after)
        revision = None
        if not options.as_json:
            print("\n".join(describe(plan)) if plan else "Nothing to change.")
        if plan and not options.dry_run:
            if options.ask:
                _agree()
            revision = await bring_about(
                home, store, now, after, action=action, origin=origin, timeout_s=options.timeout_s, note=note
            )
        if options.as_json:
            print_json({"changes": [encode(one) for one in plan], "revision": revision})
        elif revision is not None:
            print(f"In force everywhere, as of revision {revision}.")


def describe(plan: list[Difference]) -> list[str]:
    """A line for each document, and for each field that changes."""
    lines = []
    for one in plan:
        (path, before, after), *more = one.fields
        if path == "":
            lines.append(f"{'+' if before is None else '-'} {configuration.title(one.key)}")
            continue
        lines.append(f"~ {configuration.title(one.key)}")
        lines += [
            f"    {path}: {_value(before)} -> {_value(after)}"
            for path, before, after in ((path, before, after), *more)
        ]
    return lines


def encode(difference: Difference) -> JsonValue:
    """For `--json`."""
    return {
        "document": difference.key,
        "fields": [
            {"path": path, "before": before, "after": after} for path, before, after in difference.fields
        ],
    }


def _value(value: JsonValue) -> str:
    """One line of it; a field that is left out has its default."""
    text = "default" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _agree() -> None:
    if not sys.stdin.isatty():
        raise FailedPrecondition(
            "nobody is there to agree to the plan: add --yes, or --dry-run to see it only"
        )
    if not typer.confirm("Go ahead?"):
        raise FailedPrecondition("nothing was changed")
