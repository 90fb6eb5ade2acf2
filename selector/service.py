"""The selector process."""

import sys
from collections.abc import Sequence
from typing import ClassVar

from skysail.control.catalogue import Namespace
from skysail.control.process import run
from skysail.control.rollout_loop import RolloutLoop
from skysail.control.schema import Role
from skysail.control.service import Plane, Service
from skysail.native import _core as core
from skysail.selector.plane import SelectorPlane

__all__ = ["SelectorService", "main"]


class SelectorService(Service):
    """Chooses which model and version answers a call."""

    role: ClassVar[Role] = "selector"
    namespace: ClassVar[Namespace] = "applications"

    def make_plane(self, loops: core.Loops) -> Plane:
        """Routes, in front of the batchers of the mesh."""
        return SelectorPlane(loops)

    async def start(self) -> None:
        """As every service, and drives rollouts where it leads."""
        await super().start()
        self.spawn(RolloutLoop(self.store, lambda: self.snapshot, f"{self.role}/{self.id}").run())


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a selector; returns the exit status."""
    return run(SelectorService, sys.argv[1:] if argv is None else argv)
