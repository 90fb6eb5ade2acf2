"""What all service processes have in common: from the start, over configuration and health, to the drain.

    start    the port answers, health says NOT_SERVING
    ready    the first configuration is in force: health says SERVING, the instance is registered
    drain    health says NOT_SERVING and the registration is gone at once, calls under way are answered,
             connections are told to go away, then everything is closed

A role says only what its data plane is and how a snapshot is put into it (`Plane`).
"""

import asyncio
import json
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, Protocol, Self

from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from skysail import __version__, proto
from skysail.control import addresses, keys, machine
from skysail.control.admin_servicer import AdminServicer
from skysail.control.catalogue import Namespace
from skysail.control.etcd_store import EtcdStore
from skysail.control.health import Health
from skysail.control.limits import parse_limits
from skysail.control.lingering import Lingering
from skysail.control.mirror import Mirror
from skysail.control.oip_servicer import OipServicer
from skysail.control.options import ServiceOptions
from skysail.control.registration import Registration
from skysail.control.schema import Instance, Role
from skysail.control.snapshot import Snapshot
from skysail.control.store import Store
from skysail.native import _core as core
from skysail.native.grpc_handlers import GrpcHandlers
from skysail.proto import admin_pb2, admin_pb2_grpc, inference_pb2, inference_pb2_grpc
from skysail.telemetry.history import History
from skysail.telemetry.metrics_server import MetricsServer
from skysail.telemetry.targets import targets
from skysail.telemetry.tracing import Tracing
from skysail.telemetry.tracing_settings import TracingSettings
from skysail.telemetry.window import encode

__all__ = ["Plane", "Service"]

log = logging.getLogger(__name__)


class Plane(Protocol):
    """The data plane of a role, and what it is told."""

    @property
    def entry(self) -> core.InferService:
        """What calls are handed to."""

    @property
    def stages(self) -> Mapping[str, core.InferService]:
        """The services of this process by their roles, for statistics."""

    def publish(self, snapshot: Snapshot) -> None:
        """Puts a configuration into force, whole."""

    def model_ready(self, snapshot: Snapshot, name: str, version: str) -> bool:
        """Whether a call of that name and version ("": any) would be answered; may wait a moment.

        Raises:
            NotFound: there is no such name, or it has no such version.
        """


class Service(ABC):
    """A service process, or the same within a test: `async with` starts it and waits until it is ready.

    Made and used within a running event loop.

    Args:
        store: the configuration store, which stays the caller's; or etcd's endpoints.
        options: how to run.
    """

    role: ClassVar[Role]
    namespace: ClassVar[Namespace]

    def __init__(self, store: Store | str, options: ServiceOptions | None = None) -> None:
        self.options = options or ServiceOptions()
        self.id = self.options.instance_id
        #: The address of the gRPC port, "host:port"; known once started.
        self.address = ""
        #: The Unix socket's address, "unix:/path".
        self.unix_address: str | None = None
        #: The address of plain HTTP, for a role that has it.
        self.http_address: str | None = None
        #: Where GET /metrics and GET /targets are answered; known once started.
        self.metrics_address = ""
        self._history = History()
        self._metrics = MetricsServer(self.measurements, lambda: targets(self.snapshot))
        self._packed = False
        self._own_store = EtcdStore(store) if isinstance(store, str) else None
        self._store: Store = self._own_store or store  # type: ignore[assignment]
        self._machine = machine.identity()
        self._started = time.monotonic()
        self._ready = asyncio.Event()
        self._draining = False
        self._failure: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._mirror = Mirror(self._store, self._apply)
        self._in_force = Snapshot()
        self._lingering = Lingering(self.options.lease_ttl_s)
        self._asking_again: asyncio.TimerHandle | None = None
        self._registration = Registration(
            self._store,
            keys.instance(self.role, self.id),
            ttl_s=self.options.lease_ttl_s,
            on_heard=self._lingering.heard,
        )
        self._handlers = GrpcHandlers()
        self._health = Health()
        self._set_serving(False)
        self._loops = core.Loops(self.options.threads, poll_us=self.options.poll_us)
        self._server = core.Server(
            self._loops,
            max_message_bytes=self.options.max_message_mib << 20,
            drain_timeout_s=self.options.drain_timeout_s,
            limits=parse_limits(self.options.limit),
        )
        self._plane = self.make_plane(self._loops)
        self._tracing = Tracing(self._loops, TracingSettings.of(os.environ), role=self.role, instance=self.id)

    @abstractmethod
    def make_plane(self, loops: core.Loops) -> Plane:
        """The data plane of this role."""

    async def open_edges(self) -> None:  # noqa: B027 (most roles have none)
        """Opens what a role offers besides gRPC; calls are not taken yet."""

    async def close_edges(self) -> None:  # noqa: B027 (most roles have none)
        """Drains and closes it again."""

    @property
    def ready(self) -> bool:
        """Whether calls are taken: a configuration is in force, and we are not draining. On any thread."""
        return self._mirror.applied_revision > 0 and not self._draining

    def model_ready(self, name: str, version: str) -> bool:
        """Whether a call of that name and version ("": any) would be answered. On any thread; may wait.

        Raises:
            NotFound: there is no such name, or it has no such version.
        """
        return self._plane.model_ready(self.snapshot, name, version)

    @property
    def snapshot(self) -> Snapshot:
        """The configuration in force. On any thread."""
        return self._in_force

    @property
    def store(self) -> Store:
        """The configuration store."""
        return self._store

    @property
    def plane(self) -> Plane:
        """The data plane."""
        return self._plane

    @property
    def loops(self) -> core.Loops:
        """The data plane's threads."""
        return self._loops

    async def start(self) -> None:
        """Opens the ports and begins to follow the store."""
        handlers = self._handlers.as_grpc_server()
        oip = OipServicer(  # type: ignore[abstract]  # predictions are answered by the data plane
            self.namespace,
            snapshot=lambda: self.snapshot,
            ready=lambda: self.ready,
            model_ready=self.model_ready,
        )
        inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(oip, handlers)
        admin_pb2_grpc.add_AdminServicer_to_server(
            AdminServicer(self.report, self._tracing.find, self.window), handlers
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers)
        proto.include(health_pb2.DESCRIPTOR)
        reflection.enable_server_reflection(
            (
                inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name,
                admin_pb2.DESCRIPTOR.services_by_name["Admin"].full_name,
                health.SERVICE_NAME,
                reflection.SERVICE_NAME,
            ),
            handlers,
            pool=proto.POOL,
        )
        self._server.serve(self._plane.entry)
        self._handlers.attach(self._server)
        self._listen()
        self._loops.start()
        self._tracing.start()
        self._server.start()
        self.metrics_address = await self._metrics.start(self.options.metrics)
        await self.open_edges()
        self._failure = asyncio.get_running_loop().create_future()
        self.spawn(self._mirror.run())
        self.spawn(self._registration.run())
        self.spawn(self._history.run(self.measurements))

    async def wait_ready(self) -> None:
        """Waits until calls are taken; raises what made that impossible."""
        await self._first_of(self._ready.wait())

    async def run_until(self, stop: asyncio.Event) -> None:
        """Serves until told to stop; raises when it cannot go on."""
        await self._first_of(stop.wait())

    async def stop(self) -> None:
        """Drains and closes. Idempotent."""
        if self._draining:
            return
        self._draining = True
        if self._asking_again is not None:
            self._asking_again.cancel()
        self._health.drain()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._registration.close()
        await self.close_edges()
        await asyncio.to_thread(self._server.shutdown)
        await asyncio.to_thread(self._handlers.close)
        # Nothing is configured any more: the data plane lets go of its peers, whose own drain waits for that.
        self._plane.publish(Snapshot(revision=self._mirror.applied_revision))
        self._loops.stop()
        await asyncio.to_thread(self._tracing.stop)
        await self._metrics.stop()
        if self._own_store is not None:
            await self._own_store.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
            await self.wait_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def report(self) -> admin_pb2.GetStatsResponse:
        """Counters of every stage, of the server and of the configuration. On any thread."""
        stats: dict[str, Any] = {role: stage.stats() for role, stage in self._plane.stages.items()}
        stats["server"] = self._server.stats()
        stats["tracing"] = self._tracing.counts()
        stats["channels"] = core.channel_stats()
        stats["configuration"] = {
            "store_connected": self._mirror.connected,
            "rejected_documents": self._mirror.rejected,
            "rejections": self._mirror.rejections,
        }
        return admin_pb2.GetStatsResponse(
            role=self.role,
            id=self.id,
            version=__version__,
            applied_revision=self._mirror.applied_revision,
            uptime_s=time.monotonic() - self._started,
            stats_json=json.dumps(stats),
        )

    def window(self, from_s: float, to_s: float, model: str = "") -> admin_pb2.GetWindowResponse:
        """What was counted from so many seconds ago to so many seconds ago. On any thread."""
        began_s, ended_s, window = self._history.window(
            self.measurements(), from_s=from_s, to_s=to_s, model=model
        )
        return admin_pb2.GetWindowResponse(
            role=self.role, id=self.id, from_s=began_s, to_s=ended_s, series=encode(window)
        )

    def measurements(self) -> dict[str, Any]:
        """The same counters as `telemetry.families` names them. On any thread."""
        stages = self._plane.stages.items()
        stats: dict[str, Any] = {role: stage.stats(distributions=True) for role, stage in stages}
        hops = {role: stats.pop(role) for role, stage in stages if isinstance(stage, core.Remote)}
        return stats | {
            "hops": hops,
            "server": self._server.stats(),
            "tracing": self._tracing.counts(),
            "channels": core.channel_stats(),
            "build": {self.role: {__version__: 1}},
            "configuration": {
                "applied_revision": self._mirror.applied_revision,
                "store_connected": self._mirror.connected,
                "rejected": len(self._mirror.rejected),
            },
        }

    def _listen(self) -> None:
        edge = self.role in ("frontend", "fused")
        trusted = not edge and addresses.is_loopback(self.options.listen)
        if not edge and not trusted:
            log.warning(
                "callers at %s are not trusted: versions and deadlines that they state are not believed",
                self.options.listen,
            )
        self._packed = trusted
        self.address = self._server.listen(self.options.listen, inner=trusted)
        if self.options.unix is not None:
            with addresses.private_files():
                self.unix_address = self._server.listen(f"unix:{self.options.unix_path}", inner=not edge)

    def _apply(self, stored: Snapshot) -> None:
        snapshot, again_s = self._lingering.keep(stored)
        self._plane.publish(snapshot)
        self._in_force = snapshot
        if self._draining:
            return
        if self._asking_again is not None:
            self._asking_again.cancel()
            self._asking_again = None
        if again_s is not None:
            loop = asyncio.get_running_loop()
            self._asking_again = loop.call_later(again_s, lambda: self._apply(self._mirror.snapshot))
        self._registration.publish(
            Instance(
                role=self.role,
                id=self.id,
                address=addresses.advertised(self.address, self.options.advertise),
                unix=self.unix_address,
                http=self.http_address and addresses.advertised(self.http_address, self.options.advertise),
                metrics=addresses.advertised(self.metrics_address, self.options.advertise),
                packed=self._packed,
                machine=self._machine,
                pid=os.getpid(),
                applied_revision=snapshot.revision,
            )
        )
        if not self._ready.is_set():
            log.info(
                "%s %s serves at %s with revision %d", self.role, self.id, self.address, snapshot.revision
            )
            self._set_serving(True)
            self._ready.set()

    def _set_serving(self, serving: bool) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name):
            self._health.set(name, status)

    def spawn(self, work: Any) -> None:
        """Runs something for as long as the service does; when it raises, the service ends with it."""
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._on_done)
        self._tasks.append(task)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failure is None or self._failure.done():
            return
        error = task.exception()
        if error is not None:
            self._failure.set_exception(error)

    async def _first_of(self, work: Any) -> None:
        assert self._failure is not None
        waiting = asyncio.ensure_future(work)
        try:
            await asyncio.wait((waiting, self._failure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await waiting
        if self._failure.done():
            self._failure.result()
