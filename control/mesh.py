"""Which processes a mesh is made of. Pure: options and a snapshot in, units out."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from skysail.control.artefacts import files_at
from skysail.control.errors import NotFound
from skysail.control.launcher import SINGLE_THREADED, Unit
from skysail.control.schema import Resources, Version
from skysail.control.signature_text import format_tensor
from skysail.control.snapshot import Snapshot
from skysail.control.watchdog import Target

__all__ = ["SKYSAIL", "MeshOptions", "etcd_unit", "replica_units", "service_units", "targets"]

#: What needs others has a higher stage; see Unit.
_ETCD, _REPLICA, _BATCHER, _SELECTOR, _FRONTEND = range(5)
SKYSAIL = (sys.executable, "-m", "skysail.cli.main")


@dataclass(frozen=True)
class MeshOptions:
    """How a mesh runs; all addresses are settled.

    Attributes:
        grpc: where the frontend listens.
        http: where its plain-JSON endpoint listens.
        metrics: where the supervisor tells its metrics, and where those of the others are.
        etcd: the store's endpoints, separated by commas.
        etcd_peer: the private etcd's second address; empty when others run the store.
        fused: frontend, selector and batcher in one process instead of three.
        threads: event-loop threads of each service process. More serve more calls and need that many cores.
        poll_us: the longest wait that the process which callers reach may poll through, in microseconds.
        cache_mib: what a batcher's prediction cache may hold, in MiB.
        hung_after_s: a process that has not answered for so long is killed and started again.
        limit: limits of what peers of each service may do, as "name=value".
        log_format: of every process of ours: "human" or "json".
        log_level: the least important level that they log.
    """

    grpc: str
    http: str
    etcd: str
    etcd_peer: str = ""
    metrics: str = "127.0.0.1:0"
    fused: bool = False
    threads: int = 1
    poll_us: int = 0
    cache_mib: int = 24
    hung_after_s: float = 10.0
    limit: tuple[str, ...] = ()
    log_format: str = "human"
    log_level: str = "info"

    def encode(self) -> dict[str, Any]:
        """For the record in `run/`."""
        return asdict(self)

    @property
    def any_metrics(self) -> str:
        """Where a service or a replica tells its metrics: on the supervisor's host, at any port."""
        return f"{self.metrics.rpartition(':')[0]}:0"


def etcd_unit(options: MeshOptions, binary: str, data: Path) -> Unit:
    """The private etcd."""
    client, peer = f"http://{options.etcd}", f"http://{options.etcd_peer}"
    return Unit(
        "etcd",
        (
            *(binary, "--name", "skysail", "--data-dir", str(data)),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", f"skysail={peer}", "--initial-cluster-state", "new"),
            # Watches resume within an hour; after that they read everything again.
            *("--auto-compaction-mode", "periodic", "--auto-compaction-retention", "1h"),
            # A file applied as a whole is one transaction.
            *("--max-txn-ops", "20000", "--max-request-bytes", str(16 << 20)),
            *("--logger", "zap", "--log-outputs", "stderr"),
        ),
        stage=_ETCD,
    )


def service_units(options: MeshOptions, sockets: Path) -> list[Unit]:
    """Frontend, selector and batcher; or the one process that is all three."""
    limits = (part for limit in options.limit for part in ("--limit", limit))
    common = (
        *("--etcd", options.etcd, "--metrics", options.any_metrics, "--threads", str(options.threads)),
        *(*limits, *_logs(options)),
    )
    edge = ("--listen", options.grpc, "--http", options.http, "--poll-us", str(options.poll_us))
    cache = ("--cache-mib", str(options.cache_mib))
    if options.fused:
        fused = (*SKYSAIL, "frontend", "--fused", *edge, *common, *cache)
        return [Unit("fused", fused, stage=_FRONTEND)]
    return [
        Unit("frontend", (*SKYSAIL, "frontend", *edge, *common), stage=_FRONTEND),
        *(
            Unit(
                role,
                (*SKYSAIL, role, "--listen", "127.0.0.1:0", "--unix", f"unix:{sockets}/{role}.sock", *more),
                stage=stage,
            )
            for role, stage, more in (
                ("selector", _SELECTOR, common),
                ("batcher", _BATCHER, (*common, *cache)),
            )
        ),
    ]


def replica_units(options: MeshOptions, snapshot: Snapshot, sockets: Path) -> Iterator[Unit]:
    """As many replicas as each version wants, of those versions that we load ourselves."""
    for model in snapshot.models.values():
        for name, target in model.versions.items():
            version = snapshot.versions.get((model.name, name))
            if version is None or version.loader == "endpoint":
                continue
            for slot in range(target.replicas):
                try:
                    yield _replica_unit(options, version, slot, sockets)
                except NotFound:
                    # Another machine's artefact, or one that was deleted: nothing that could be started here.
                    break


def targets(snapshot: Snapshot, pids: Mapping[str, int | None], *, machine: str) -> Iterator[Target]:
    """What a watchdog should know of the units whose processes are `pids`.

    Args:
        snapshot: where they are registered, and what they may use.
        pids: of the units that should run, by name; None: it does not run now.
        machine: that they run on.
    """
    registered = {one.pid: one.address for one in snapshot.replicas.values() if one.machine == machine} | {
        one.pid: one.unix or one.address for one in snapshot.instances.values() if one.machine == machine
    }
    for name, pid in pids.items():
        model, _, rest = name.partition("@")
        document = snapshot.models.get(model) if rest else None
        yield Target(
            name,
            pid,
            group=name.rpartition("@")[0],
            address=registered.get(pid) if pid is not None else None,
            resources=document.resources if document else Resources(),
            model=bool(rest),
        )


def _replica_unit(options: MeshOptions, version: Version, slot: int, sockets: Path) -> Unit:
    files = files_at(version.artefact.uri)
    class_name = version.options.get("class")
    path = f"{files.model}:{class_name}" if class_name else str(files.model)
    # Names may be as long as a socket's whole path may be.
    name = f"{version.model}@{version.version}@{slot}"
    socket = hashlib.sha256(name.encode()).hexdigest()[:12]
    assert version.signature is not None
    return Unit(
        name,
        (
            *(*SKYSAIL, "serve-model", path, "--name", version.model, "--version", version.version),
            *(("--data", str(files.data)) if files.data else ()),
            *_repeated("--input", map(format_tensor, version.signature.inputs)),
            *_repeated("--output", map(format_tensor, version.signature.outputs)),
            *("--digest", version.artefact.digest, "--listen", f"unix:{sockets}/{socket}-{{start}}.sock"),
            *("--metrics", options.any_metrics, *_logs(options)),
            *("--etcd", options.etcd, "--replica-id", f"{slot}-{{start}}"),
        ),
        env=SINGLE_THREADED,
        stage=_REPLICA,
    )


def _logs(options: MeshOptions) -> tuple[str, ...]:
    return ("--log-format", options.log_format, "--log-level", options.log_level)


def _repeated(option: str, values: Iterable[str]) -> Iterator[str]:
    # In one argument, because a tensor's name may begin with a dash.
    return (f"{option}={value}" for value in values)
