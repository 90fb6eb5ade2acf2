"""What a user may change, each as one transaction.

A change reads what it depends on, decides, and writes on condition that nothing it read has changed; it is
recorded with its origin (see `transaction`). Nothing is changed when the store is away (StoreUnavailable) or
somebody else wrote first (Conflict).

A new version of a model that already serves gets the weight 0: it starts and warms up, and takes traffic
when the route is set (`set_route`). The first version of a model takes the traffic at once: until its first
replica is ready, callers get the default output or UNAVAILABLE.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from skysail.control import configuration, keys
from skysail.control.configuration import Configuration
from skysail.control.default_output import encode_default
from skysail.control.errors import AlreadyExists, Conflict, FailedPrecondition, InvalidArgument, NotFound
from skysail.control.rollout import Rollout
from skysail.control.schema import Application, Document, Model, Resources, Version, VersionTarget
from skysail.control.store import Store
from skysail.control.transaction import UNSTATED, Draft, Origin, commit
from skysail.control.views import signature
from skysail.control.warm import rested

__all__ = [
    "deploy",
    "remove_application",
    "remove_model",
    "remove_version",
    "replace",
    "rest",
    "scale",
    "set_application",
    "set_route",
]


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
    resources: Mapping[str, int] = MappingProxyType({}),
    keep_warm: int | None = None,
    origin: Origin = UNSTATED,
) -> int:
    """Makes a version known and wants `replicas` of it; makes the model when there is none.

    Doing it again changes nothing, or only what is stated differently. `objective_ms`, `weight`, `priority`
    and `default` go to the application of the model's name, `resources` are fields of its document's. None
    leaves things as they are (or at their defaults).

    Raises:
        AlreadyExists: this version's name stands for another artefact.
        InvalidArgument: the default output does not fit the signature.
    """

    def decide(draft: Draft) -> None:
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
        _want(draft, version, replicas, cache=cache, resources=resources, keep_warm=keep_warm)
        settings = {"objective_ms": objective_ms, "weight": weight, "priority": priority, "default": default}
        stated = {name: value for name, value in settings.items() if value is not None}
        if stated:
            _adjust_application(draft, version, stated)

    return await commit(
        store, decide, action=f"deploy {version.model} version {version.version}", origin=origin
    )


def _want(
    draft: Draft,
    version: Version,
    replicas: int | None,
    *,
    cache: bool | None,
    resources: Mapping[str, int],
    keep_warm: int | None,
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
    if resources:
        stated = Resources.make(**{**dict(wanted.resources), **resources})
        wanted = wanted.model_copy(update={"resources": stated})
    if keep_warm is not None:
        wanted = Model.make(**{**dict(wanted), "keep_warm": keep_warm})
    draft.put(key, wanted)


def _adjust_application(draft: Draft, version: Version, stated: Mapping[str, JsonValue]) -> None:
    key = keys.application(version.model)
    settings = dict(draft.get(Application, key) or Application(name=version.model, models=(version.model,)))
    application = Application.make(**{**settings, **stated})
    if application.default is not None:
        if version.signature is None:
            raise InvalidArgument("default: needs a version whose signature is known")
        encode_default(application.default, application.signature or version.signature)
    draft.put(key, application)


async def set_route(
    store: Store, model: str, weights: Mapping[str, float], *, origin: Origin = UNSTATED
) -> int:
    """Splits a model's traffic: the versions named get their weights, the others 0; replicas stay.

    Raises:
        NotFound: no such model or version.
        InvalidArgument: no weight is above 0, or one is out of range.
    """

    def decide(draft: Draft) -> None:
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

    return await commit(store, decide, action=f"route {model} to {_shares(weights)}", origin=origin)


async def scale(
    store: Store, model: str, replicas: int, *, version: str | None = None, origin: Origin = UNSTATED
) -> int:
    """Wants that many replicas of a version, or of every version that takes traffic or is kept warm.

    Raises:
        NotFound: no such model or version.
        InvalidArgument: the number is out of range.
    """

    def decide(draft: Draft) -> None:
        document = _model(draft, model)
        if version is not None:
            _target(document, version)
        targets = {
            name: VersionTarget.make(weight=target.weight, replicas=replicas)
            if name == version or (version is None and (target.weight > 0 or target.replicas > 0))
            else target
            for name, target in document.versions.items()
        }
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))

    return await commit(
        store,
        decide,
        action=f"scale {model if version is None else f'{model} version {version}'} to {replicas}",
        origin=origin,
    )


async def rest(
    store: Store, model: str, before: Mapping[str, VersionTarget], *, origin: Origin = UNSTATED
) -> int:
    """Stops what no call reaches since the route is no longer as in `before`, but for what is kept warm.

    Raises:
        NotFound: no such model.
    """

    def decide(draft: Draft) -> None:
        document = _model(draft, model)
        targets = rested(before, document.versions, keep=document.keep_warm)
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))

    return await commit(store, decide, action=f"stop what is not called any more of {model}", origin=origin)


async def set_application(store: Store, application: Application, *, origin: Origin = UNSTATED) -> int:
    """Makes or replaces an application.

    Raises:
        NotFound: a model that it names is not deployed.
        InvalidArgument: its default output does not fit the signature, or none is known to check it against.
    """

    def decide(draft: Draft) -> None:
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

    return await commit(store, decide, action=f"set application {application.name}", origin=origin)


async def remove_application(store: Store, name: str, *, origin: Origin = UNSTATED) -> int:
    """Removes an application; a model of that name stays callable under its implicit one.

    Raises:
        NotFound: there is none.
    """

    def decide(draft: Draft) -> None:
        key = keys.application(name)
        if draft.get(Application, key) is None:
            raise NotFound(f"there is no application {name!r}")
        draft.delete(key)

    return await commit(store, decide, action=f"remove application {name}", origin=origin)


async def remove_version(store: Store, model: str, version: str, *, origin: Origin = UNSTATED) -> int:
    """Removes a version that takes no traffic.

    Raises:
        NotFound: no such model or version.
        FailedPrecondition: it takes traffic, or is the model's only one.
    """

    def decide(draft: Draft) -> None:
        document = _model(draft, model)
        if _target(document, version).weight > 0:
            raise FailedPrecondition(
                f"version {version!r} of model {model!r} takes traffic: set another route first"
            )
        targets = {name: target for name, target in document.versions.items() if name != version}
        draft.put(keys.model(model), document.model_copy(update={"versions": targets}))
        draft.get(Version, keys.version(model, version))
        draft.delete(keys.version(model, version))

    return await commit(store, decide, action=f"remove {model} version {version}", origin=origin)


async def remove_model(store: Store, model: str, *, origin: Origin = UNSTATED) -> int:
    """Removes a model, its versions, its rollout, and the application that is its alone.

    Raises:
        NotFound: there is none.
        FailedPrecondition: another application names it.
    """

    def decide(draft: Draft) -> None:
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
        if draft.get(Rollout, keys.rollout(model)) is not None:
            draft.delete(keys.rollout(model))
        for key in draft.keys(f"{keys.model(model)}/"):
            draft.delete(key)

    return await commit(store, decide, action=f"remove {model}", origin=origin)


async def replace(
    store: Store, before: Configuration, after: Configuration, *, action: str, origin: Origin = UNSTATED
) -> int:
    """Turns one configuration into another, in one transaction.

    Args:
        store: where.
        before: what was read; only documents that differ from it are written.
        after: what is to be in force, whole.
        action: for the record.
        origin: for the record.

    Raises:
        Conflict: a document that is to be written is no longer as in `before`.
        NotFound, AlreadyExists, InvalidArgument: the result would not be legal (see `configuration.check`).
    """
    configuration.check(after, before=before)

    def decide(draft: Draft) -> None:
        for one in configuration.differences(before, after):
            wanted, known = after.get(one.key), before.get(one.key)
            if _legal(draft, one.key, wanted or known) != known:
                raise Conflict(
                    f"{configuration.title(one.key)} was changed by somebody else meanwhile; "
                    "nothing was changed: try again"
                )
            if wanted is None:
                draft.delete(one.key)
            else:
                draft.put(one.key, wanted)

    return await commit(store, decide, action=action, origin=origin)


def _legal(draft: Draft, key: str, like: Document | None) -> Document | None:
    """A document; one that is illegal, written by hand, counts as absent, as it does for every service."""
    try:
        return draft.get(type(like), key) if like is not None else None
    except InvalidArgument:
        return None


def _shares(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={weight:g}" for name, weight in weights.items() if weight > 0)


def _model(draft: Draft, name: str) -> Model:
    document = draft.get(Model, keys.model(name))
    if document is None:
        raise NotFound(f"there is no model {name!r}: deploy it first")
    return document


def _target(model: Model, version: str) -> VersionTarget:
    target = model.versions.get(version)
    if target is None:
        raise NotFound(f"model {model.name!r} has no version {version!r}, only {', '.join(model.versions)}")
    return target
