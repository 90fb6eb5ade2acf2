"""`skysail logs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(rich_help_panel="Mesh")(logs)


def logs(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A model, or a process: supervisor, etcd, frontend, ... Left out: the supervisor."
        ),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each log.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
) -> None:
    """Print what processes printed."""
    from skysail.control.errors import NotFound
    from skysail.control.home import Home

    home = Home.from_environment()
    there = sorted(home.logs.glob("*.log"))
    wanted = name or "supervisor"
    paths = [path for path in there if path.stem == wanted or path.stem.startswith(f"{wanted}@")]
    if not paths:
        known = sorted({path.stem.split("@")[0] for path in there})
        raise NotFound(f"there is no log of {wanted!r}; there are {', '.join(known) or 'none yet'}")
    many = len(paths) > 1
    offsets = {path: _print_tail(path, lines, many=many) for path in paths}
    while follow:
        import time

        time.sleep(0.2)
        for path in paths:
            offsets[path] = _print_from(path, offsets[path], many=many)


def _print_tail(path: Path, lines: int, *, many: bool) -> int:
    with path.open("rb") as log:
        end = log.seek(0, 2)
        log.seek(max(0, end - 200 * max(lines, 1) - 4096))
        text = log.read(end - log.tell()).decode(errors="replace").splitlines()
    _print(path, text[-lines:] if lines else [], many=many)
    return end


def _print_from(path: Path, offset: int, *, many: bool) -> int:
    with path.open("rb") as log:
        log.seek(offset)
        data = log.read()
    whole = data[: data.rfind(b"\n") + 1]
    _print(path, whole.decode(errors="replace").splitlines(), many=many)
    return offset + len(whole)


def _print(path: Path, lines: list[str], *, many: bool) -> None:
    for line in lines:
        print(f"{path.stem}: {line}" if many else line, flush=True)
