"""From a snapshot to what the data plane is told. Pure functions; the whole set each time, omission removes.

* A route names every version with a weight; whether replicas of it are ready is the batcher's to know, which
  answers UNAVAILABLE (or the frontend the default output) while there is none. Who deploys moves the route
  only when they are.
* Every batcher is told of every version. Which of them serves one is the callers' choice (`Remote`:
  rendezvous hashing over the batchers that are there), so that equal inputs meet one cache, and a batcher
  that takes over from one that died needs to be told nothing.
"""

import logging
from collections.abc import Iterable
from functools import lru_cache

from skysail.control import schema, views
from skysail.control.default_output import encode_default
from skysail.control.errors import InvalidArgument
from skysail.control.snapshot import Snapshot
from skysail.native import _core as core
from skysail.telemetry.families import replica_label

__all__ = [
    "addresses",
    "applications",
    "batcher_versions",
    "endpoints",
    "selector_routes",
]

log = logging.getLogger(__name__)


def applications(snapshot: Snapshot) -> list[core.Application]:
    """Every application, with its signature where one is known and its default output where one is set."""
    return [_application(snapshot, one) for one in views.applications(snapshot).values()]


def selector_routes(snapshot: Snapshot) -> list[core.Route]:
    """A route for every model of which some version takes traffic."""
    routes = ((model, views.route(snapshot, name)) for name, model in snapshot.models.items())
    return [
        core.Route(model.name, versions=list(weights.items()), salt=model.salt)
        for model, weights in routes
        if weights
    ]


def batcher_versions(snapshot: Snapshot) -> list[core.ServedVersion]:
    """Every version that its model's document names, with the replicas that are ready."""
    asking = views.asking(snapshot)
    replicas: dict[tuple[str, str], list[schema.Replica]] = {}
    for one in snapshot.replicas.values():
        replicas.setdefault((one.model, one.version), []).append(one)
    return [
        _served(
            model,
            snapshot.versions[model.name, name],
            replicas=replicas.get((model.name, name), []),
            applications=asking.get(model.name, []),
        )
        for model in snapshot.models.values()
        for name in model.versions
        if (model.name, name) in snapshot.versions
    ]


def endpoints(snapshot: Snapshot, role: schema.Role, *, machine: str) -> list[core.Endpoint]:
    """The instances of a role, by Unix socket where they see the same files as we (`machine`)."""
    return [
        core.Endpoint(one.id, _address(one, machine), packed=one.packed)
        for one in snapshot.instances.values()
        if one.role == role
    ]


def addresses(snapshot: Snapshot, role: schema.Role, *, machine: str) -> list[str]:
    """Where those of `endpoints` are."""
    return [_address(one, machine) for one in snapshot.instances.values() if one.role == role]


def _address(one: schema.Instance, machine: str) -> str:
    return one.unix if one.unix is not None and one.machine == machine else one.address


def _application(snapshot: Snapshot, application: schema.Application) -> core.Application:
    agreed = views.signature(snapshot, application)
    signature = None if agreed is None else agreed.encode()
    return core.Application(
        application.name,
        objective_s=application.objective_ms / 1000,
        signature=None if signature is None else _signature(signature),
        models=application.models,
        trace_sampling=application.trace_sampling,
        default_output=None if application.default is None else _default(application.encode(), signature),
    )


@lru_cache(maxsize=1024)
def _default(encoded: bytes, signature: bytes | None) -> bytes | None:
    """Encoded once, and complained about once, not with every snapshot."""
    application = schema.Application.decode(encoded)
    try:
        if signature is None:
            raise InvalidArgument("its models' versions do not share a signature to check it against")
        return encode_default(application.default, schema.Signature.decode(signature))
    except InvalidArgument as error:
        log.error("application %s goes without its default output: %s", application.name, error)
        return None


def _served(
    model: schema.Model,
    version: schema.Version,
    *,
    replicas: Iterable[schema.Replica],
    applications: Iterable[schema.Application],
) -> core.ServedVersion:
    ready = [
        core.Endpoint(one.id, one.address, label=replica_label(one.id))
        for one in views.ready_replicas(replicas, version)
    ]
    return core.ServedVersion(
        model.name,
        version.version,
        digest=version.artefact.digest,
        signature=None if version.signature is None else _signature(version.signature.encode()),
        objective_s=views.objective_s(applications),
        replicas=[
            *ready,
            *(core.Endpoint(one, one, label=str(at)) for at, one in enumerate(version.endpoints)),
        ],
        cache=model.cache.enabled and (version.loader != "endpoint" or version.immutable),
        cache_ttl_s=model.cache.ttl_s,
        cache_quota_bytes=model.cache.quota_mib << 20,
        max_batch_rows=model.batching.max_rows,
        delay=model.batching.delay == "learned",
        shares=[core.Share(one.name, weight=one.weight, priority=one.priority) for one in applications],
    )


@lru_cache(maxsize=1024)
def _signature(encoded: bytes) -> core.Signature:
    """Signatures are many times the same; the native one is immutable."""
    signature = schema.Signature.decode(encoded)

    def specs(tensors: tuple[schema.TensorSpec, ...]) -> list[core.TensorSpec]:
        return [core.TensorSpec(one.name, one.datatype, one.shape) for one in tensors]

    return core.Signature(specs(signature.inputs), specs(signature.outputs), max_rows=signature.max_rows)
