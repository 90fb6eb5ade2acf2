"""The selector's data plane: routes, in front of the batchers of the mesh."""

from collections.abc import Mapping

from skysail.control import catalogue, machine, plan
from skysail.control.readiness import NextService
from skysail.control.snapshot import Snapshot
from skysail.native import _core as core

__all__ = ["SelectorPlane"]


class SelectorPlane:
    """Chooses model and version, and sends calls to the batcher that serves it."""

    def __init__(self, loops: core.Loops) -> None:
        self._batchers = core.Remote(loops)
        self._selector = core.Selector(loops, self._batchers)
        self._machine = machine.identity()
        self._next = NextService()

    @property
    def entry(self) -> core.InferService:
        """The selector."""
        return self._selector

    @property
    def stages(self) -> Mapping[str, core.InferService]:
        """The selector, and its channels to the batchers."""
        return {"selector": self._selector, "batchers": self._batchers}

    def publish(self, snapshot: Snapshot) -> None:
        """The batchers first, so that a route never comes before somebody who can serve it."""
        batchers = plan.endpoints(snapshot, "batcher", machine=self._machine)
        self._batchers.publish(batchers, revision=snapshot.revision)
        self._next.publish(plan.addresses(snapshot, "batcher", machine=self._machine))
        self._selector.publish(
            plan.applications(snapshot), plan.selector_routes(snapshot), revision=snapshot.revision
        )

    def model_ready(self, snapshot: Snapshot, name: str, version: str) -> bool:
        """Whether a batcher says so."""
        candidates = catalogue.answering(snapshot, "applications", name, version)
        return bool(candidates) and self._next.ready(candidates)
