"""Frontend, selector and batcher in one process: a call passes from one to the next without a socket."""

from collections.abc import Mapping
from typing import ClassVar

from skysail.control import catalogue, plan
from skysail.control.rollout_loop import RolloutLoop
from skysail.control.schema import Role
from skysail.control.service import Plane
from skysail.control.snapshot import Snapshot
from skysail.frontend.service import FrontendService
from skysail.native import _core as core

__all__ = ["FusedPlane", "FusedService"]


class FusedPlane:
    """All three stages; the models stay in processes of their own."""

    def __init__(self, loops: core.Loops, *, cache_bytes: int) -> None:
        self._batcher = core.Batcher(loops, cache_bytes=cache_bytes)
        self._selector = core.Selector(loops, self._batcher)
        self._frontend = core.Frontend(loops, self._selector)

    @property
    def entry(self) -> core.InferService:
        """The frontend."""
        return self._frontend

    @property
    def stages(self) -> Mapping[str, core.InferService]:
        """Each stage by its role."""
        return {"frontend": self._frontend, "selector": self._selector, "batcher": self._batcher}

    def publish(self, snapshot: Snapshot) -> None:
        """From the far end to the near one, so that no stage sends what the next does not know yet."""
        applications = plan.applications(snapshot)
        routes = plan.selector_routes(snapshot)
        self._batcher.publish(plan.batcher_versions(snapshot), revision=snapshot.revision)
        self._selector.publish(applications, routes, revision=snapshot.revision)
        self._frontend.publish(applications, revision=snapshot.revision)

    def model_ready(self, snapshot: Snapshot, name: str, version: str) -> bool:
        """Whether a replica is in rotation."""
        candidates = catalogue.answering(snapshot, "applications", name, version)
        return any(self._batcher.ready(*one) for one in candidates)


class FusedService(FrontendService):
    """The whole path in one process; the cheapest way to serve from one machine."""

    role: ClassVar[Role] = "fused"

    def make_plane(self, loops: core.Loops) -> Plane:
        """All three stages."""
        return FusedPlane(loops, cache_bytes=self.options.cache_mib << 20)

    async def start(self) -> None:
        """As every service, and drives rollouts where it leads."""
        await super().start()
        self.spawn(RolloutLoop(self.store, lambda: self.snapshot, f"{self.role}/{self.id}").run())
