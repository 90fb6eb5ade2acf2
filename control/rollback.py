"""Where a model's calls go when they are sent back. Pure functions of the configuration and its history.

Only the route changes: settings such as the cache and the objective stay as they are. What takes the calls
gets as many replicas as what had them; what no call reaches any more is kept warm, or gets none.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from skysail.control import history, keys
from skysail.control.configuration import Configuration
from skysail.control.errors import FailedPrecondition, NotFound
from skysail.control.history import Change
from skysail.control.schema import Document, Model, Version, VersionTarget
from skysail.control.warm import rested

__all__ = ["to_earlier", "to_version"]


def to_version(now: Configuration, model: str, version: str) -> Configuration:
    """All of a model's calls go to one version.

    Raises:
        NotFound: no such model or version.
    """
    return _routed(now, model, {version: 1.0})


def to_earlier(
    now: Configuration,
    documents: Mapping[str, JsonValue],
    changes: Sequence[Change],
    model: str,
    *,
    revision: int | None = None,
) -> Configuration:
    """A model's calls go where they went at a revision, or (None) before the route changed last.

    A rollout counts as one change, however many steps it took.

    Args:
        now: the configuration.
        documents: the same, encoded.
        changes: all records that are kept, the oldest first.
        model: its name.
        revision: of the store.

    Raises:
        NotFound: no such model, it was not there then, or a version of that route is gone.
        FailedPrecondition: its route has not changed as far as the history reaches.
    """
    key = keys.model(model)
    route = _weights(documents.get(key))
    if not isinstance(now.get(key), Model):
        raise NotFound(f"there is no model {model!r}")
    if revision is not None:
        earlier = _weights(history.undone(documents, changes, revision).get(key))
        if not earlier:
            raise NotFound(f"model {model!r} was not there at revision {revision}")
        return _routed(now, model, earlier)
    for change in reversed(changes):
        edit = change.record.edits.get(key)
        if edit is None or _within_rollout(change, model):
            continue
        if (earlier := _weights(edit.before)) and earlier != route:
            return _routed(now, model, earlier)
    raise FailedPrecondition(
        f"the history knows no other route of model {model!r}: name a version with --to, or deploy one"
    )


def _within_rollout(change: Change, model: str) -> bool:
    """Whether a rollout ran before a change that it made: of a rollout only the route before it counts."""
    edit = change.record.edits.get(keys.rollout(model))
    before = edit.before if edit is not None else None
    return isinstance(before, dict) and before.get("state", "running") in ("running", "paused")


def _weights(document: JsonValue) -> dict[str, float]:
    """The versions of a model's document that take traffic."""
    versions = document.get("versions") if isinstance(document, dict) else None
    if not isinstance(versions, dict):
        return {}
    weights = {
        name: target.get("weight", 0.0) for name, target in versions.items() if isinstance(target, dict)
    }
    return {
        name: float(weight)
        for name, weight in weights.items()
        if isinstance(weight, int | float) and weight > 0
    }


def _routed(now: Configuration, name: str, weights: Mapping[str, float]) -> dict[str, Document]:
    model = now.get(keys.model(name))
    if not isinstance(model, Model):
        raise NotFound(f"there is no model {name!r}")
    for version in weights:
        if not isinstance(now.get(keys.version(name, version)), Version):
            raise NotFound(f"model {name!r} has no version {version!r}, only {', '.join(model.versions)}")
    replicas = max((target.replicas for target in model.versions.values() if target.weight > 0), default=0)
    targets = {
        version: target.model_copy(update={"weight": 0.0}) for version, target in model.versions.items()
    }
    targets |= {
        version: VersionTarget(weight=weight, replicas=max(replicas, 1))
        for version, weight in weights.items()
    }
    targets = rested(model.versions, targets, keep=model.keep_warm)
    return {**now, keys.model(name): model.model_copy(update={"versions": targets})}
