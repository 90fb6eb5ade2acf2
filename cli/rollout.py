"""`skysail rollout`, and what is ordered while one runs: `promote`, `pause`, `resume`, `abort`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysail.cli.origin import ReasonOption, origin
from skysail.cli.output import JsonOption, note, print_json

if TYPE_CHECKING:
    from skysail.control.configuration import Configuration
    from skysail.control.rollout import Order, Rollout

__all__ = ["register"]

ModelArgument = Annotated[str, typer.Argument(help="The model's name.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
TimeoutOption = Annotated[float, typer.Option(help="How long to wait for replicas and services.")]

#: Between two looks at a rollout that is waited for.
_LOOK_EVERY_S = 0.2
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (rollout, promote, pause, resume, abort):
        app.command(rich_help_panel="Models")(command)


def rollout(
    model: ModelArgument,
    to: Annotated[str | None, typer.Option(help="The new version. Left out: show how far it is.")] = None,
    canary: Annotated[
        str, typer.Option(help="The new version's share of the calls in percent, step by step.")
    ] = "1,5,25,100",
    hold: Annotated[
        str, typer.Option(help="How long each step is held at least: 500ms, 30s, 5m, 1h.")
    ] = "30s",
    gates: Annotated[
        list[str] | None,
        typer.Option("--gate", help="What must hold: 'p99_ms<20', 'error_rate<=baseline+0.5%'; repeatable."),
    ] = None,
    min_calls: Annotated[
        int, typer.Option(min=0, help="Each step is held until the new version has had so many calls.")
    ] = 100,
    wait: Annotated[bool, typer.Option(help="Return when it has ended; fail unless it is done.")] = False,
    dry_run: DryRunOption = False,
    timeout_s: TimeoutOption = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send a model's calls over to another version step by step, as long as its gates hold."""
    import asyncio

    if to is None:
        _show(asyncio.run(_read(model)), as_json=as_json)
        return
    version, steps, hold_s = to, _shares(canary), _seconds(hold)

    def wanted(now: Configuration) -> Configuration:
        from skysail.control import rollouts

        plan = {"steps": steps, "hold_s": hold_s, "gates": tuple(gates or ()), "min_calls": min_calls}
        return rollouts.begun(now, model, version, **plan)

    async def go() -> None:
        from skysail.cli.plans import Options, carry_out

        await carry_out(
            wanted,
            action=f"rollout of {model} to {version}: {steps[0]:g}%",
            origin=origin(reason),
            options=Options(dry_run=dry_run, ask=False, timeout_s=timeout_s, as_json=as_json),
        )
        if wait and not dry_run:
            await _ended(model)

    asyncio.run(go())


def promote(
    model: ModelArgument,
    dry_run: DryRunOption = False,
    timeout_s: TimeoutOption = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send all calls to a rollout's new version now."""
    _order(model, "promote", dry_run=dry_run, timeout_s=timeout_s, reason=reason, as_json=as_json)


def pause(
    model: ModelArgument,
    dry_run: DryRunOption = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a rollout stay at its step; its gates go on guarding."""
    _order(model, "pause", dry_run=dry_run, timeout_s=None, reason=reason, as_json=as_json)


def resume(
    model: ModelArgument,
    dry_run: DryRunOption = False,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a paused rollout go on."""
    _order(model, "resume", dry_run=dry_run, timeout_s=None, reason=reason, as_json=as_json)


def abort(
    model: ModelArgument,
    dry_run: DryRunOption = False,
    timeout_s: TimeoutOption = 120.0,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send all calls back to where they went before a rollout."""
    _order(model, "abort", dry_run=dry_run, timeout_s=timeout_s, reason=reason, as_json=as_json)


def _order(
    model: str, what: Order, *, dry_run: bool, timeout_s: float | None, reason: str, as_json: bool
) -> None:
    """Gives an order; with a timeout, returns when every service has applied what it changes of the route."""
    import asyncio

    from skysail.cli.plans import describe, encode
    from skysail.cli.waiting import open_store, read_snapshot, wait_applied
    from skysail.control import configuration, rollouts
    from skysail.control.home import Home

    async def go() -> None:
        async with open_store(Home.from_environment()) as store:
            snapshot = await read_snapshot(store)
            now = {**configuration.of_snapshot(snapshot), **rollouts.documents(snapshot)}
            plan = configuration.differences(now, rollouts.after(now, model, what))
            revision = None
            if not as_json:
                print("\n".join(describe(plan)))
            if not dry_run:
                revision = await rollouts.order(store, model, what, origin=origin(reason))
                if timeout_s is not None:
                    await wait_applied(store, revision, timeout_s=timeout_s)
            if as_json:
                print_json({"changes": [encode(one) for one in plan], "revision": revision})

    asyncio.run(go())


async def _ended(model: str) -> None:
    """Returns when the rollout is done.

    Raises:
        FailedPrecondition: it has ended otherwise.
    """
    import asyncio

    from skysail.control.errors import FailedPrecondition

    told = ""
    while not (found := await _read(model)).ended:
        line = f"{found.steps[found.step]:g}%: {found.reason or 'begins'}"
        if line != told:
            note(f"{line} ...")
            told = line
        await asyncio.sleep(_LOOK_EVERY_S)
    if found.state != "done":
        raise FailedPrecondition(f"the {found.title} is {found.state}: {found.reason}")


async def _read(model: str) -> Rollout:
    from skysail.cli.waiting import open_store, read_snapshot
    from skysail.control.errors import NotFound
    from skysail.control.home import Home

    async with open_store(Home.from_environment()) as store:
        found = (await read_snapshot(store)).rollouts.get(model)
    if found is None:
        raise NotFound(f"there is no rollout of model {model!r}: begin one with --to VERSION")
    return found


def _show(found: Rollout, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = found.model_dump(mode="json", exclude={"canary", "compared"})
        print_json({**shown, "calls": {"canary": found.canary.calls, "baseline": found.compared.calls}})
        return
    steps = ", ".join(
        f"[{one:g}%]" if at == found.step else f"{one:g}%" for at, one in enumerate(found.steps)
    )
    print(f"The {found.title} is {found.state}, at {steps}." + (f" {found.reason}" if found.reason else ""))
    calls = f"{found.canary.calls} calls of {found.version}, {found.compared.calls} of {found.baseline}"
    print(f"In this step {calls}.")
    for verdict in found.verdicts:
        print(f"  {verdict}")


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"write percentages, as 1,5,25,100, got {text!r}", param_hint="--canary"
        ) from None


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h)", text.strip())
    if found is None:
        raise typer.BadParameter(f"write a number and ms, s, m or h, got {text!r}", param_hint="--hold")
    return float(found[1]) * _UNITS_S[found[2]]
