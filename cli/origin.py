"""Who makes a change: the user of this terminal, and the reason that they give."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skysail.control.transaction import Origin

__all__ = ["ReasonOption", "origin"]

ReasonOption = Annotated[str, typer.Option(help="Why: kept with the change, see `skysail history`.")]


def origin(reason: str) -> Origin:
    """With $SKYSAIL_AUTHOR, or the user and host, as the author."""
    from skysail.control.transaction import Origin

    author = os.environ.get("SKYSAIL_AUTHOR")
    if not author:
        try:
            author = f"{getpass.getuser()}@{socket.gethostname()}"
        except (KeyError, OSError):  # a user id without a name, as in containers
            author = f"{os.getuid()}@{socket.gethostname()}"
    return Origin(author=author, reason=reason)
