"""The frontend's data plane: applications, in front of the selectors of the mesh."""

from collections.abc import Mapping

from skysail.control import catalogue, machine, plan
from skysail.control.readiness import NextService
from skysail.control.snapshot import Snapshot
from skysail.native import _core as core

__all__ = ["FrontendPlane"]


class FrontendPlane:
    """Maps names to applications, holds calls to their objectives, and sends them to a selector."""

    def __init__(self, loops: core.Loops) -> None:
        self._selectors = core.Remote(loops)
        self._frontend = core.Frontend(loops, self._selectors)
        self._machine = machine.identity()
        self._next = NextService()

    @property
    def entry(self) -> core.InferService:
        """The frontend."""
        return self._frontend

    @property
    def stages(self) -> Mapping[str, core.InferService]:
        """The frontend, and its channels to the selectors."""
        return {"frontend": self._frontend, "selectors": self._selectors}

    def publish(self, snapshot: Snapshot) -> None:
        """The selectors first, so that an application never comes before somebody who can serve it."""
        selectors = plan.endpoints(snapshot, "selector", machine=self._machine)
        self._selectors.publish(selectors, revision=snapshot.revision)
        self._next.publish(plan.addresses(snapshot, "selector", machine=self._machine))
        self._frontend.publish(plan.applications(snapshot), revision=snapshot.revision)

    def model_ready(self, snapshot: Snapshot, name: str, version: str) -> bool:
        """Whether a selector says so."""
        candidates = catalogue.answering(snapshot, "applications", name, version)
        return bool(candidates) and self._next.ready([(name, version)])
