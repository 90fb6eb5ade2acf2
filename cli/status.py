"""`skysail status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysail.cli.output import JsonOption, print_json

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["register"]

#: Between the two looks that a rate needs.
INTERVAL_S = 0.5


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Mesh")(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh every second until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show services, models, replicas, rates, latencies, batch sizes and cache hits."""
    import asyncio

    asyncio.run(_watch(as_json=as_json) if watch else _once(as_json=as_json))


async def _once(*, as_json: bool) -> None:
    import asyncio

    from skysail.cli.gathering import summary, take
    from skysail.cli.waiting import open_store
    from skysail.control.home import Home
    from skysail.control.running import running_mesh

    home = Home.from_environment()
    mesh = running_mesh(home)
    async with open_store(home) as store:
        before = await take(home, store)
        await asyncio.sleep(INTERVAL_S)
        found = summary(mesh, before, await take(home, store))
    if as_json:
        print_json(found)
    else:
        from rich.console import Console

        Console().print(render(found))


async def _watch(*, as_json: bool) -> None:
    import asyncio

    from rich.live import Live

    from skysail.cli.gathering import summary, take
    from skysail.cli.waiting import open_store
    from skysail.control.home import Home
    from skysail.control.running import running_mesh

    home = Home.from_environment()
    mesh = running_mesh(home)
    async with open_store(home) as store:
        before = await take(home, store)
        with Live(auto_refresh=False, screen=False) as live:
            while True:
                await asyncio.sleep(1.0)
                now = await take(home, store)
                found = summary(mesh, before, now)
                before = now
                if as_json:
                    print_json(found)
                elif not live.console.is_terminal:
                    live.console.print(render(found))
                else:
                    live.update(render(found), refresh=True)


def render(found: dict[str, Any]) -> Group:
    """The summary as tables."""
    from rich.console import Group

    from skysail.cli.tables import table

    head = (
        f"gRPC {found['frontend']['grpc']}   HTTP http://{found['frontend']['http']}   etcd {found['etcd']}"
    )
    return Group(
        head,
        table(
            "Services",
            found["services"],
            role="role",
            address="address",
            metrics="metrics",
            pid="pid",
            revision="revision",
        ),
        table(
            "Applications",
            found["applications"],
            name="name",
            objective="objective_ms",
            calls="requests",
            rate="rate_per_s",
            p50="p50_ms",
            p99="p99_ms",
            defaults="defaults",
            errors="errors",
        ),
        table(
            "Versions",
            [
                {
                    **one,
                    "replicas": f"{one['ready']}/{one['replicas']}",
                    "refused": sum(one["refused"].values()),
                }
                for one in found["versions"]
            ],
            model="model",
            version="version",
            weight="weight",
            replicas="replicas",
            rate="rate_per_s",
            batch="batch_rows",
            limit="limit_rows",
            p50="model_p50_ms",
            p99="model_p99_ms",
            hits="hit_rate",
            refused="refused",
            MiB="memory_mib",
        ),
        *(
            [
                table(
                    "Rollouts",
                    found["rollouts"],
                    model="model",
                    version="version",
                    percent="share",
                    state="state",
                    reason="reason",
                )
            ]
            if found["rollouts"]
            else []
        ),
        table(
            "Replicas",
            found["replicas"],
            model="model",
            version="version",
            metrics="metrics",
            pid="pid",
            MiB="memory_mib",
        ),
        table(
            "Processes", found["processes"], name="name", pid="pid", failures="failures", latest="last_end"
        ),
        f"Prometheus finds every process at http://{found['metrics']}/targets.",
        "Times are in milliseconds, rates per second; batch is the mean of rows, limit the most of them now.",
        "A version of weight 0 that has replicas is kept warm, to be gone back to at once.",
    )
