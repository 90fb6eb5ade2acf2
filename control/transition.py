"""From one configuration to another so that no call meets a version that is not ready. Pure functions.

A change of routes is made in up to three steps, each a legal configuration and one transaction: start what
will take traffic, switch, and stop what no call reaches any more. Between them somebody waits
(`cli/transition.py`).
"""

from collections.abc import Iterator
from typing import NamedTuple

from skysail.control import keys
from skysail.control.configuration import Configuration
from skysail.control.schema import Document, Model, Version, VersionTarget

__all__ = ["Steps", "awaited", "steps"]


class Steps(NamedTuple):
    """The configurations to go through; one that equals the one before it is no step."""

    #: What will take traffic runs; calls go where they go now.
    started: Configuration
    #: Calls go where they are wanted; what had them runs on.
    switched: Configuration
    #: What was wanted.
    target: Configuration


def steps(current: Configuration, target: Configuration) -> Steps:
    """The way from one configuration to another."""
    started = _started(current, target)
    return Steps(started, _switched(started, target), target)


def awaited(current: Configuration, target: Configuration) -> list[tuple[Version, int]]:
    """The versions that take no traffic now and will, with the replicas that must be ready before they do.

    Whatever else takes traffic does so already, ready or not: a change is not held up by it.
    """
    found = []
    for key, model in target.items():
        if not isinstance(model, Model):
            continue
        old = current.get(key)
        there = old.versions if isinstance(old, Model) else {}
        found += [
            (version, max(model.versions[name].replicas, there.get(name, _NONE).replicas))
            for version in _routed(target, model)
            if there.get(name := version.version, _NONE).weight == 0 and version.loader != "endpoint"
        ]
    return found


def _started(current: Configuration, target: Configuration) -> dict[str, Document]:
    """What is in force, and besides the replicas that the target's routes will need."""
    result = dict(current)
    for key, model in target.items():
        if not isinstance(model, Model):
            continue
        old = current.get(key)
        # Nobody can call a model that is new: it need not be hidden while it starts.
        targets = dict(old.versions) if isinstance(old, Model) else dict(model.versions)
        for version in _routed(target, model):
            wanted, there = model.versions[version.version], targets.get(version.version, _NONE)
            targets[version.version] = VersionTarget(
                weight=there.weight, replicas=max(there.replicas, wanted.replicas)
            )
            result[keys.version(version.model, version.version)] = version
        if not isinstance(old, Model):
            result |= {
                keys.version(model.name, name): target[keys.version(model.name, name)]
                for name in model.versions
            }
        result[key] = (old if isinstance(old, Model) else model).model_copy(update={"versions": targets})
    return result


def _switched(started: Configuration, target: Configuration) -> dict[str, Document]:
    """The target, but with the replicas that run now."""
    result = dict(target)
    for key, model in target.items():
        old = started.get(key)
        if not isinstance(model, Model) or not isinstance(old, Model):
            continue
        targets = dict(model.versions)
        for name, there in old.versions.items():
            wanted = targets.get(name, _NONE)
            if there.replicas > wanted.replicas:
                targets[name] = VersionTarget(weight=wanted.weight, replicas=there.replicas)
                result.setdefault(keys.version(model.name, name), started[keys.version(model.name, name)])
        result[key] = model.model_copy(update={"versions": targets})
    return result


_NONE = VersionTarget(weight=0.0, replicas=0)


def _routed(configuration: Configuration, model: Model) -> Iterator[Version]:
    """The versions that take traffic and are known."""
    for name, target in model.versions.items():
        version = configuration.get(keys.version(model.name, name))
        if target.weight > 0 and isinstance(version, Version):
            yield version
