"""Questions about a snapshot that services, commands and tests ask alike. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence

from skysail.control.schema import Application, Replica, Signature, Version
from skysail.control.snapshot import Snapshot

__all__ = [
    "applications",
    "asking",
    "is_ready",
    "not_applied",
    "objective_s",
    "ready_replicas",
    "route",
    "signature",
]


def applications(snapshot: Snapshot) -> Mapping[str, Application]:
    """Every application: the configured ones, and one for each model whose name is free."""
    implicit = {name: Application(name=name, models=(name,)) for name in snapshot.models}
    return {**implicit, **snapshot.applications}


def asking(snapshot: Snapshot) -> Mapping[str, Sequence[Application]]:
    """The applications that may ask each model, by its name; without models that none asks."""
    found: dict[str, list[Application]] = {}
    for application in applications(snapshot).values():
        for model in dict.fromkeys(application.models):
            found.setdefault(model, []).append(application)
    return found


def objective_s(applications: Iterable[Application]) -> float:
    """The strictest objective among applications; the default one where there is none."""
    objectives = [application.objective_ms for application in applications]
    return min(objectives, default=Application.model_fields["objective_ms"].default) / 1000


def route(snapshot: Snapshot, model: str) -> dict[str, float]:
    """The versions that take traffic, with their weights; empty when there is none."""
    document = snapshot.models.get(model)
    targets = document.versions if document else {}
    return {
        version: target.weight
        for version, target in targets.items()
        if target.weight > 0 and (model, version) in snapshot.versions
    }


def signature(snapshot: Snapshot, application: Application) -> Signature | None:
    """What callers may rely on: as stated, or what all versions that may answer agree on, or unknown."""
    if application.signature is not None:
        return application.signature
    found = [
        snapshot.versions[model, version].signature
        for model in application.models
        for version in route(snapshot, model)
    ]
    return found[0] if found and all(one == found[0] for one in found) else None


def ready_replicas(replicas: Iterable[Replica], version: Version) -> list[Replica]:
    """Those that are running copies of exactly this artefact."""
    return [
        replica
        for replica in replicas
        if (replica.model, replica.version) == (version.model, version.version)
        and replica.digest == version.artefact.digest
    ]


def is_ready(snapshot: Snapshot, model: str, version: str) -> bool:
    """Whether somebody is registered who can answer a call of that version."""
    document = snapshot.versions.get((model, version))
    return document is not None and bool(
        document.endpoints or ready_replicas(snapshot.replicas.values(), document)
    )


def not_applied(snapshot: Snapshot, revision: int, *, roles: Iterable[str] | None = None) -> list[str]:
    """The instances ("role/id") of those roles, or of all, that do not yet serve with that revision."""
    wanted = None if roles is None else set(roles)
    return [
        f"{role}/{instance_id}"
        for (role, instance_id), instance in snapshot.instances.items()
        if (wanted is None or role in wanted) and instance.applied_revision < revision
    ]
