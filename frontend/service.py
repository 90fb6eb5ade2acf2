"""The frontend process: the address that clients call, over gRPC and plain HTTP."""

from typing import ClassVar

from skysail.control.catalogue import Namespace
from skysail.control.limits import all_limits
from skysail.control.schema import Role
from skysail.control.service import Plane, Service
from skysail.frontend.http_protocol import HttpPatience
from skysail.frontend.http_server import HttpServer
from skysail.frontend.plane import FrontendPlane
from skysail.frontend.rest import Rest
from skysail.native import _core as core

__all__ = ["FrontendService"]


class FrontendService(Service):
    """The first service of the path; with `--http` it answers plain JSON as well."""

    role: ClassVar[Role] = "frontend"
    namespace: ClassVar[Namespace] = "applications"
    _http: HttpServer | None = None

    def make_plane(self, loops: core.Loops) -> Plane:
        """Applications, in front of the selectors of the mesh."""
        return FrontendPlane(loops)

    async def open_edges(self) -> None:
        """Opens the HTTP port."""
        if self.options.http is None:
            return
        rest = Rest(
            core.Caller(self.loops, self.plane.entry),
            snapshot=lambda: self.snapshot,
            ready=lambda: self.ready,
            model_ready=self.model_ready,
            max_body_bytes=self.options.max_message_mib << 20,
        )
        self._http = HttpServer(
            rest.app,
            drain_timeout_s=self.options.drain_timeout_s,
            patience=HttpPatience.of(all_limits(self.options.limit)),
        )
        self.http_address = await self._http.start(self.options.http)

    async def close_edges(self) -> None:
        """Answers what is under way and closes the HTTP port."""
        if self._http is not None:
            await self._http.stop()
