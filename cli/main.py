"""The `skysail` command: what it can do, and how errors reach the terminal.

Commands import what they need when they run, so that `skysail --help` is quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from skysail.cli import (
    apply,
    deploy,
    history,
    latency,
    logs,
    predict,
    rollout,
    services,
    status,
    top,
    trace,
    up,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="skysail",
    help="Serve predictions from many models behind one address.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    epilog="Start with [bold]skysail up[/bold], then [bold]skysail deploy NAME PATH[/bold]. "
    "State lives in $SKYSAIL_HOME, by default ~/.skysail.",
)


@app.callback()
def root(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Serve predictions from many models behind one address."""
    if debug:
        os.environ["SKYSAIL_DEBUG"] = "1"


for module in (up, deploy, rollout, predict, history, status, top, latency, trace, logs, apply, services):
    module.register(app)


@app.command(rich_help_panel="Other")
def version() -> None:
    """Print the version."""
    from skysail import __version__

    print(__version__)


def main() -> None:
    """Runs the command line; errors are one sentence on standard error and the exit status 1."""
    try:
        app()
    except Exception as error:
        from skysail.control.errors import SkysailError

        if os.environ.get("SKYSAIL_DEBUG"):
            raise
        if not isinstance(error, SkysailError | OSError):
            print(
                f"skysail: {type(error).__name__}: {error} (run with --debug to see where)", file=sys.stderr
            )
        else:
            print(f"skysail: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
