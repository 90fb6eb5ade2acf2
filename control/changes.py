"""What a user may change, each as one transaction.

A change reads what it depends on, decides, and writes on condition that nothing it read has changed.
Nothing is changed when the store is away (StoreUnavailable) or somebody else wrote first (Conflict).

A new version of a model that already serves gets the weight 0: it starts and warms up, and takes traffic
when the route is set (`set_route`). The first version of a model takes the traffic at once: until its first
replica is ready, callers get the default output or UNAVAILABLE.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import JsonValue

from skysail.control import keys
from skysail.control.default_output import encode_default
from skysail.control.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from skysail.control.schema import Application, Document, Model, Resources, Version, VersionTarget
from skysail.control.snapshot import Assembler, Snapshot
from skysail.control.store import Delete, Listing, Put, Store, Unchanged, Write
from skysail.control.views import signature

__all__ = [
    "deploy",
    "remove_application",
    "remove_model",
    "remove_version",
    "scale",
    "set_application",
    "set_route",
]

D = TypeVar("D", bound=Document)


class _Draft:
    """The documents as they were read, what was asked of them, and what is to be written."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._entries = {e.key: (e.value, e.revision) for e in listing.entries if not e.lease}
        self._read: dict[str, int] = {}
        self.writes: dict[str, Write] = {}

    def get(self, kind: type[D], key: str) -> D | None:
        """A document; from now on the change depends on it."""
        value, revision = self._entries.get(key, (None, 0))
        self._read[key] = revision
        return None if value is None else kind.decode(value)

    def keys(self, prefix: str) -> list[str]:
        """What lies under a prefix; the change depends on each."""
        found = [key for key in self._entries if key.startswith(prefix)]
        self._read |= {key: self._entries[key][1] for key in found}
        return found

    def put(self, key: str, document: Document) -> None:
        """Writes a document, unless the same is there already."""
        encoded = document.encode()
        if self._entries.get(key, (None, 0))[0] != encoded:
            self.writes[key] = Put(key, encoded)

    def delete(self, key: str) -> None:
        """Deletes a document."""
        self.writes[key] = Delete(key)

    @property
    def snapshot(self) -> Snapshot:
        """Everything as it was read; the change does not depend on it."""
        return Assembler().load(self._listing)

    @property
    def conditions(self) -> list[Unchanged]:
        """That nothing read has changed."""
        return [Unchanged(key, revision) for key, revision in self._read.items()]


async def _commit(store: Store, decide: Callable[[_Draft], None]) -> int:
    """Returns the revision from which the change is in the store (now, when there was nothing to change)."""
    listing = await store.list(keys.PREFIX)
    draft = _Draft(listing)
    decide(draft)
    if not draft.writes:
        # Not the listing's revision, which every registration raises without anybody applying it.
        return max((entry.revision for entry in listing.entries if not entry.lease), default=0)
    try:
        return await store.commit(list(draft.writes.values()), require=draft.conditions)
    except Conflict:
        changed = ", ".join(draft.writes)
        raise Conflict(
            f"somebody else changed {changed} at the same time; nothing was changed: try again"
        ) from None


async def deploy(
    store: Store,
    version: Version,
    *,
    replicas: int | None = None,
    objective_ms: float | None = None,
    weight: float | None = None,
    priority: str | None = None,
    default: JsonValue = None,
    cache: bool | None = None,
    memory_mib: int | None = None,
) -> int:
    """Makes a version known and wants `replicas` of it; makes the model when there is none.

    Doing it again changes nothing, or only what is stated differently. `objective_ms`, `weight`, `priority`
    and `default` go to the application of the model's name. None leaves things as they are (or at their
    defaults).

    Raises:
        AlreadyExists: this version's name stands for another artefact.
        InvalidArgument: the default output does not fit the signature.
    """

    def decide(draft: _Draft) -> None:
        key = keys.version(version.model, version.version)
        known = draft.get(Version, key)
        if known is not None and known != version:
            what = (
                "another artefact" if known.artefact.digest != version.artefact.digest else "other settings"
            )
            raise AlreadyExists(
                f"version {version.version!r} of model {version.model!r} is there already, with {what} "
                f"({known.artefact.uri}, {known.artefact.digest}): versions never change, choose another name"
            )
        draft.put(key, version)
        _want(draft, version, replicas, cache, memory_mib)
        settings = {"objective_ms": objective_ms, "weight": weight, "priority": priority, "default": default}
        stated = {name: value for name, value in settings.items() if value is not None}
        if stated:
            _adjust_application(draft, version, stated)

    return await _commit(store, decide)


def _want(
    draft: _Draft, version: Version, replicas: int | None, cache: bool | None, memory_mib: int | None
) -> None:
    key = keys.model(version.model)
    model = draft.get(Model, key)
    targets = dict(model.versions) if model else {}
    routed = any(target.weight > 0 for target in targets.values())
    old = targets.get(version.version) or VersionTarget(weight=0.0 if routed else 1.0)
    targets[version.version] = VersionTarget.make(
        weight=old.weight, replicas=old.replicas if replicas is None else replicas
    )
    wanted = Model.make(**{**dict(model or {"name": version.model}), "versions": targets})
    if cache is not None:
        wanted = wanted.model_copy(update={"cache": wanted.cache.model_copy(update={"enabled": cache})})
    if memory_mib is not None:
        wanted = wanted.model_copy(update={"resources": Resources.make(memory_mib=memory_mib)})
    draft.put(key, wanted)


def _adjust_application(draft: _Draft, version: Version, stated: Mapping[str, JsonValue]) -> None:
    key = keys.application(version.model)
    settings = dict(draft.get(Application, key) or Application(name=version.model, models=(version.model,)))
    application = Application.make(**{**settings, **stated})
    if application.default is not None:
        if version.signature is None:
            raise InvalidArgument("default: needs a version whose signature is known")
        encode_default(application.default, application.signature or version.signature)
    draft.put(key, application)


async def set_route(store: Store, model: str, weights: Mapping[str, float]) -> int:
    """Splits a model's traffic: the versions named get their weights, the others 0; replicas stay.

    Raises:
        NotFound: no such model or version.
        InvalidArgument: no weight is above 0, or one is out of range.
    """

    def decide(draft: _Draft) -> None:
        document = _model(draft, model)
        for name in weights:
            _target(document, name)
        if not any(weight > 0 for weight in weights.values()):
            raise InvalidArgument(f"route of model {model!r}: at least one version needs a weight above 0")
        targets = {
            name: VersionTarget.make(weight=weights.get(name, 0.0), replicas=target.replicas)
            for name, target in document.versions.items()
        }
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))

    return await _commit(store, decide)


async def scale(store: Store, model: str, replicas: int, *, version: str | None = None) -> int:
    """Wants that many replicas of a version, or of every version that takes traffic.

    Raises:
        NotFound: no such model or version.
        InvalidArgument: the number is out of range.
    """

    def decide(draft: _Draft) -> None:
        document = _model(draft, model)
        if version is not None:
            _target(document, version)
        targets = {
            name: VersionTarget.make(weight=target.weight, replicas=replicas)
            if name == version or (version is None and target.weight > 0)
            else target
            for name, target in document.versions.items()
        }
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))

    return await _commit(store, decide)


async def set_application(store: Store, application: Application) -> int:
    """Makes or replaces an application.

    Raises:
        NotFound: a model that it names is not deployed.
        InvalidArgument: its default output does not fit the signature, or none is known to check it against.
    """

    def decide(draft: _Draft) -> None:
        for model in application.models:
            _model(draft, model)
        if application.default is not None:
            agreed = signature(draft.snapshot, application)
            if agreed is None:
                raise InvalidArgument(
                    "default: state the application's signature, its models' versions differ"
                )
            encode_default(application.default, agreed)
        draft.put(keys.application(application.name), application)

    return await _commit(store, decide)


async def remove_application(store: Store, name: str) -> int:
    """Removes an application; a model of that name stays callable under its implicit one.

    Raises:
        NotFound: there is none.
    """

    def decide(draft: _Draft) -> None:
        key = keys.application(name)
        if draft.get(Application, key) is None:
            raise NotFound(f"there is no application {name!r}")
        draft.delete(key)

    return await _commit(store, decide)


async def remove_version(store: Store, model: str, version: str) -> int:
    """Removes a version that takes no traffic.

    Raises:
        NotFound: no such model or version.
        FailedPrecondition: it takes traffic, or is the model's only one.
    """

    def decide(draft: _Draft) -> None:
        document = _model(draft, model)
        if _target(document, version).weight > 0:
            raise FailedPrecondition(
                f"version {version!r} of model {model!r} takes traffic: set another route first"
            )
        targets = {name: target for name, target in document.versions.items() if name != version}
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))
        draft.get(Version, keys.version(model, version))
        draft.delete(keys.version(model, version))

    return await _commit(store, decide)


async def remove_model(store: Store, model: str) -> int:
    """Removes a model, its versions, and the application that is its alone.

    Raises:
        NotFound: there is none.
        FailedPrecondition: another application names it.
    """

    def decide(draft: _Draft) -> None:
        _model(draft, model)
        for key in draft.keys(f"{keys.PREFIX}applications/"):
            application = draft.get(Application, key)
            if application is None or model not in application.models:
                continue
            if application.models != (model,) or application.name != model:
                raise FailedPrecondition(
                    f"application {application.name!r} uses model {model!r}: change or remove it first"
                )
            draft.delete(key)
        draft.delete(keys.model(model))
        for key in draft.keys(f"{keys.model(model)}/"):
            draft.delete(key)

    return await _commit(store, decide)


def _model(draft: _Draft, name: str) -> Model:
    document = draft.get(Model, keys.model(name))
    if document is None:
        raise NotFound(f"there is no model {name!r}: deploy it first")
    return document


def _target(model: Model, version: str) -> VersionTarget:
    target = model.versions.get(version)
    if target is None:
        raise NotFound(f"model {model.name!r} has no version {version!r}, only {', '.join(model.versions)}")
    return target
