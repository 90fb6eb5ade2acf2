"""A replica: one loaded model behind the Open Inference Protocol.

start    the port answers; the model is loaded and warm already
register the replica is in the store under a lease, so batchers send calls (only with a store)
drain    the registration goes first, so that batchers stop sending; calls under way are answered
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from skysail import __version__
from skysail.control import addresses, catalogue, keys, machine, schema
from skysail.control.admin_servicer import AdminServicer
from skysail.control.etcd_store import EtcdStore
from skysail.control.oip_servicer import OipServicer
from skysail.control.registration import Registration
from skysail.control.snapshot import Snapshot
from skysail.model_servers.adapter import Adapter
from skysail.model_servers.runner import ModelRunner
from skysail.native import _core as core
from skysail.native.grpc_handlers import GrpcHandlers
from skysail.proto import admin_pb2, admin_pb2_grpc, inference_pb2_grpc
from skysail.telemetry.families import replica_label
from skysail.telemetry.metrics_server import MetricsServer
from skysail.telemetry.tracing import Tracing
from skysail.telemetry.tracing_settings import TracingSettings

__all__ = ["Container", "ContainerOptions"]


@dataclass(frozen=True)
class ContainerOptions:
    """How a replica is known and where it listens.

    Attributes:
        model: the model's name.
        version: the version's name.
        digest: of the artefact that was loaded.
        replica_id: unlike that of any other replica of this version, past ones included.
        path: the artefact, for messages.
        listen: `host:port` or `unix:/path`.
        metrics: `host:port` for GET /metrics.
        etcd: the store's endpoints; empty to serve without one.
        poll_us: the longest wait that the event loop may poll through instead of sleeping, in microseconds.
        max_pending: calls that may wait for the model. Batchers keep two; more serve callers without a
        batcher.
        drain_timeout_s: how long calls under way may take when the replica is told to stop.
        limits: of what peers may do, by name; see `control.limits`.
    """

    model: str
    version: str
    digest: str
    replica_id: str
    path: Path
    loader: str
    listen: str = "127.0.0.1:0"
    metrics: str = "127.0.0.1:0"
    etcd: str = ""
    poll_us: int = 0
    max_pending: int = 256
    drain_timeout_s: float = 10.0
    limits: Mapping[str, int] = field(default_factory=dict)


class Container:
    """Serves one loaded and warm model. Start and stop once, on one asyncio loop."""

    def __init__(self, model: Adapter, options: ContainerOptions) -> None:
        self._options = options
        self._started_s = time.monotonic()
        self._draining = False
        self._address = ""
        self._snapshot = _snapshot(model.signature, options)
        self._loops = core.Loops(1, poll_us=options.poll_us)
        self._service = core.ModelServer(
            self._loops,
            model=options.model,
            version=options.version,
            signature=_native(model.signature),
            max_pending=options.max_pending,
        )
        self._server = core.Server(
            self._loops, drain_timeout_s=options.drain_timeout_s, limits=dict(options.limits)
        )
        self._tracing = Tracing(
            self._loops, TracingSettings.of(os.environ), role="model-server", instance=options.replica_id
        )
        self._runner = ModelRunner(self._service, model, path=options.path)
        self._health = health.HealthServicer()
        self._metrics = MetricsServer(self.measurements)
        #: Where GET /metrics is answered; known once started.
        self.metrics_address = ""
        self._edges = AsyncExitStack()

    @property
    def address(self) -> str:
        """Where it listens; known once started."""
        return self._address

    async def start(self) -> None:
        """Opens the port, then registers the replica.

        Raises:
            NativeError: the address cannot be listened on.
        """
        handlers = GrpcHandlers()
        inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(
            OipServicer(  # type: ignore[abstract]  # predictions are answered by the data plane
                "models",
                snapshot=lambda: self._snapshot,
                ready=lambda: not self._draining,
                model_ready=self._model_ready,
            ),
            handlers.as_grpc_server(),
        )
        admin = AdminServicer(self._report, self._tracing.find)
        admin_pb2_grpc.add_AdminServicer_to_server(admin, handlers.as_grpc_server())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers.as_grpc_server())
        self._server.serve(self._service)
        self._server.serve_health(self._service)  # Python's lock may be with the model
        handlers.attach(self._server)
        listen = self._options.listen
        inner = listen.startswith("unix:") or addresses.is_loopback(listen)
        with addresses.private_files():
            self._address = self._server.listen(listen, inner=inner)
        self.metrics_address = await self._metrics.start(self._options.metrics)
        self._loops.start()
        self._tracing.start()
        self._runner.start()
        self._server.start()
        self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        if self._options.etcd:
            await self._register(self._options.etcd)

    async def stop(self) -> None:
        """Drains and closes."""
        self._draining = True
        self._service.resign()
        self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._edges.aclose()
        await asyncio.to_thread(self._server.shutdown)
        self._service.close()
        await asyncio.to_thread(self._runner.join, 5.0)
        self._loops.stop()
        await asyncio.to_thread(self._tracing.stop)
        await self._metrics.stop()

    async def _register(self, etcd: str) -> None:
        options = self._options
        store = EtcdStore(etcd)
        self._edges.push_async_callback(store.close)
        registration = Registration(store, keys.replica(options.model, options.version, options.replica_id))
        self._edges.push_async_callback(registration.close)
        registration.publish(
            schema.Replica.make(
                model=options.model,
                version=options.version,
                id=options.replica_id,
                digest=options.digest,
                address=self._address
                if self._address.startswith("unix:")
                else addresses.advertised(self._address, None),
                metrics=addresses.advertised(self.metrics_address, None),
                machine=machine.identity(),
                pid=os.getpid(),
            )
        )
        task = asyncio.create_task(registration.run())
        self._edges.push_async_callback(_cancelled, task)

    def _model_ready(self, name: str, version: str) -> bool:
        catalogue.describe(self._snapshot, "models", name, version)
        return not self._draining

    def measurements(self) -> dict[str, Any]:
        """The counters as `telemetry.families` names them. On any thread."""
        options = self._options
        own = {replica_label(options.replica_id): self._service.stats(distributions=True)}
        return {
            "model_server": {options.model: {options.version: own}},
            "server": self._server.stats(),
            "tracing": self._tracing.counts(),
            "build": {"model-server": {__version__: 1}},
        }

    def _report(self) -> admin_pb2.GetStatsResponse:
        stats = {"model_server": self._service.stats(), "server": self._server.stats()}
        return admin_pb2.GetStatsResponse(
            role="model-server",
            id=self._options.replica_id,
            version=__version__,
            uptime_s=time.monotonic() - self._started_s,
            stats_json=json.dumps(stats),
        )


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _native(signature: schema.Signature) -> core.Signature:
    inputs, outputs = (
        [core.TensorSpec(spec.name, spec.datatype, spec.shape) for spec in specs]
        for specs in (signature.inputs, signature.outputs)
    )
    return core.Signature(inputs, outputs, max_rows=signature.max_rows)


def _snapshot(signature: schema.Signature, options: ContainerOptions) -> Snapshot:
    """The configuration as this one replica sees it: itself."""
    model = schema.Model.make(
        name=options.model, versions={options.version: schema.VersionTarget(weight=1.0)}
    )
    version = schema.Version.make(
        model=options.model,
        version=options.version,
        artefact=schema.Artefact.make(uri=options.path.absolute().as_uri(), digest=options.digest),
        loader=options.loader,
        signature=signature,
    )
    replica = schema.Replica.make(
        model=options.model,
        version=options.version,
        id=options.replica_id,
        digest=options.digest,
        # Its own address does not matter to itself, only that there is one.
        address="unix:/",
    )
    return Snapshot(
        revision=1,
        models=MappingProxyType({options.model: model}),
        versions=MappingProxyType({(options.model, options.version): version}),
        replicas=MappingProxyType({(options.model, options.version, options.replica_id): replica}),
    )
