"""The batcher process."""

import sys
from collections.abc import Sequence
from typing import ClassVar

from skysail.batcher.plane import BatcherPlane
from skysail.control.catalogue import Namespace
from skysail.control.process import run
from skysail.control.schema import Role
from skysail.control.service import Plane, Service
from skysail.native import _core as core

__all__ = ["BatcherService", "main"]


class BatcherService(Service):
    """Caches answers and batches calls for the replicas of each model version."""

    role: ClassVar[Role] = "batcher"
    namespace: ClassVar[Namespace] = "models"

    def make_plane(self, loops: core.Loops) -> Plane:
        """Cache and queues, in front of the replicas."""
        return BatcherPlane(loops, cache_bytes=self.options.cache_mib << 20)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a batcher; returns the exit status."""
    return run(BatcherService, sys.argv[1:] if argv is None else argv)
