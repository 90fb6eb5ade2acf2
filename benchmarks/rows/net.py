"""The native gRPC server against grpc++ and grpcio, protobuf read and answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks import load
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.load import Load
from benchmarks.servers import Servers
from benchmarks.stats import Goal

_NATIVE = ("native 1 thread", "native 2 threads")
_GRPCPP = ("grpc++ callback", "grpc++ async 1 thread", "grpc++ async 2 threads")
_GRPCIO = ("grpcio sync", "grpcio aio")


def _arms(servers: Servers) -> Mapping[str, Callable[[], Sample]]:
    started = {
        "native 1 thread": servers.reference("native_server", "1"),
        "native 2 threads": servers.reference("native_server", "2"),
        "grpc++ callback": servers.reference("grpcpp_callback_server"),
        "grpc++ async 1 thread": servers.reference("grpcpp_async_server", "1"),
        "grpc++ async 2 threads": servers.reference("grpcpp_async_server", "2"),
        "grpcio sync": servers.grpcio("sync"),
        "grpcio aio": servers.grpcio("aio"),
    }
    what = Load(bodies=servers.trivial_bodies().path, duration_s=servers.seconds)

    def arm(target: str, pid: int) -> Callable[[], Sample]:
        return lambda: Sample.of(load.run(target, what, pids=[pid]))

    return {name: arm(*server) for name, server in started.items()}


EXPERIMENTS = (
    Experiment(
        arms=_arms,
        control="grpc++ async 1 thread",
        rows=(
            Row(id="net.rate", subject=_NATIVE, baseline=_GRPCPP, metric="rate", goal=Goal(factor=3.5)),
            Row(
                id="net.cpu",
                subject=_NATIVE,
                baseline=_GRPCPP,
                metric="cpu_ms",
                goal=Goal(factor=0.3, at_most=True),
            ),
            Row(id="net.grpcio", subject=_NATIVE, baseline=_GRPCIO, metric="rate"),
        ),
    ),
)
