"""What a service can tell about the names it answers to: versions, signatures, who may answer.

Pure functions.
"""

from dataclasses import dataclass
from typing import Literal

from skysail.control import views
from skysail.control.errors import NotFound
from skysail.control.schema import Signature
from skysail.control.snapshot import Snapshot

__all__ = ["Description", "Namespace", "answering", "describe"]

#: What callers name: applications to a frontend or selector, models to a batcher.
Namespace = Literal["applications", "models"]


@dataclass(frozen=True, slots=True)
class Description:
    """What is known about a name."""

    name: str
    versions: tuple[str, ...]
    platform: str
    signature: Signature | None


def describe(snapshot: Snapshot, namespace: Namespace, name: str, version: str = "") -> Description:
    """The versions that may answer, or the one asked for.

    Raises:
        NotFound: no such name, or it has no such version.
    """
    found = _versions(snapshot, namespace, name)
    if version:
        found = [one for one in found if one[1] == version]
        if not found:
            raise NotFound(f"{name!r} has no version {version!r}")
    documents = [snapshot.versions[one] for one in found]
    platforms = {document.loader for document in documents}
    signatures = [document.signature for document in documents]
    agreed = signatures[0] if signatures and all(one == signatures[0] for one in signatures) else None
    if namespace == "applications" and not version:
        agreed = views.signature(snapshot, views.applications(snapshot)[name])
    return Description(
        name=name,
        versions=tuple(dict.fromkeys(one for _, one in found)),
        platform=platforms.pop() if len(platforms) == 1 else "",
        signature=agreed,
    )


def answering(
    snapshot: Snapshot, namespace: Namespace, name: str, version: str = ""
) -> list[tuple[str, str]]:
    """(model, version) of those that a call may reach and that have replicas, registered at least.

    Raises:
        NotFound: no such name, or it has no such version.
    """
    describe(snapshot, namespace, name, version)
    found = _versions(snapshot, namespace, name)
    return [one for one in found if version in ("", one[1]) and views.is_ready(snapshot, *one)]


def _versions(snapshot: Snapshot, namespace: Namespace, name: str) -> list[tuple[str, str]]:
    """(model, version) of all that may answer to a name."""
    if namespace == "models":
        model = snapshot.models.get(name)
        if model is None:
            raise NotFound(f"there is no model {name!r}")
        return [(name, one) for one in model.versions if (name, one) in snapshot.versions]
    application = views.applications(snapshot).get(name)
    if application is None:
        raise NotFound(f"there is no application or model {name!r}")
    return [(model, one) for model in application.models for one in views.route(snapshot, model)]
