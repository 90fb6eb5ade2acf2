"""The batcher's data plane: cache and queues, in front of the replicas."""

from collections.abc import Mapping

from skysail.control import catalogue, plan
from skysail.control.snapshot import Snapshot
from skysail.native import _core as core

__all__ = ["BatcherPlane"]


class BatcherPlane:
    """Answers from the cache, or joins calls into batches for the replicas of a version."""

    def __init__(self, loops: core.Loops, *, cache_bytes: int) -> None:
        self._batcher = core.Batcher(loops, cache_bytes=cache_bytes)

    @property
    def entry(self) -> core.InferService:
        """The batcher."""
        return self._batcher

    @property
    def stages(self) -> Mapping[str, core.InferService]:
        """The batcher alone."""
        return {"batcher": self._batcher}

    def publish(self, snapshot: Snapshot) -> None:
        """All versions, with the replicas that are ready."""
        self._batcher.publish(plan.batcher_versions(snapshot), revision=snapshot.revision)

    def model_ready(self, snapshot: Snapshot, name: str, version: str) -> bool:
        """Whether a replica is in rotation."""
        candidates = catalogue.answering(snapshot, "models", name, version)
        return any(self._batcher.ready(*one) for one in candidates)
