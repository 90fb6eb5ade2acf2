"""`skysail frontend [--fused]`."""

import sys
from collections.abc import Sequence

from skysail.control.process import run
from skysail.frontend.fused import FusedService
from skysail.frontend.service import FrontendService

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a frontend, or with `--fused` the whole path in one process; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--fused" in arguments:
        arguments.remove("--fused")
        return run(FusedService, arguments)
    return run(FrontendService, arguments)
