"""Rollouts in the store: how one begins, what somebody orders, and the steps that the loop takes.

What moves a route is written together with the rollout's document, in one transaction on condition that both
are as they were read: two who drive the same rollout cannot both take a step, nor one take it twice.
"""

from collections.abc import Mapping
from dataclasses import replace

from skysail.control import keys
from skysail.control.configuration import Configuration
from skysail.control.errors import Conflict, FailedPrecondition, NotFound
from skysail.control.rollout import Order, Rollout, ordered, routed, weights
from skysail.control.schema import Document, Model, Version, VersionTarget
from skysail.control.snapshot import Snapshot
from skysail.control.store import Put, Store, Unchanged
from skysail.control.transaction import UNSTATED, Draft, Origin, commit

__all__ = ["after", "begun", "carry_on", "documents", "elsewhere", "note", "order"]


def documents(snapshot: Snapshot) -> dict[str, Document]:
    """The rollouts, by their keys."""
    return {keys.rollout(name): one for name, one in snapshot.rollouts.items()}


def begun(now: Configuration, model: str, version: str, **plan: object) -> Configuration:
    """The configuration in which a rollout is at its first step.

    The new version is to have as many replicas as the one that has the calls: whoever brings it about starts
    them first (see `transition`).

    Args:
        now: the configuration, with the rollouts that there are.
        model: its name.
        version: the new version.
        plan: fields of `Rollout`: steps, hold_s, min_calls, gates.

    Raises:
        NotFound: no such model or version.
        FailedPrecondition: a rollout runs already, or the calls are split over several versions.
        InvalidArgument: the plan is none; naming the field.
    """
    document = now.get(keys.model(model))
    if not isinstance(document, Model):
        raise NotFound(f"there is no model {model!r}: deploy it first")
    if not isinstance(now.get(keys.version(model, version)), Version):
        raise NotFound(f"model {model!r} has no version {version!r}, only {', '.join(document.versions)}")
    running = now.get(keys.rollout(model))
    if isinstance(running, Rollout) and not running.ended:
        raise FailedPrecondition(
            f"the {running.title} is {running.state}: let it end, `skysail promote {model}` it, "
            f"or `skysail abort {model}` it first"
        )
    called = [name for name, target in document.versions.items() if target.weight > 0]
    if len(called) != 1:
        raise FailedPrecondition(
            f"the calls of model {model!r} are split over {', '.join(called)}: send them to one version "
            f"first, such as with `skysail rollback {model} --to {called[0]}`"
        )
    rollout = Rollout.make(
        model=model, version=version, baseline=called[0], before=dict(document.versions), **plan
    )
    there = document.versions.get(version, VersionTarget(weight=0.0, replicas=0))
    enough = max(there.replicas, document.versions[called[0]].replicas, 1)
    started = document.model_copy(
        update={"versions": {**document.versions, version: VersionTarget(weight=0.0, replicas=enough)}}
    )
    return {**now, keys.model(model): routed(rollout, started), keys.rollout(model): rollout}


async def order(store: Store, model: str, what: Order, *, origin: Origin = UNSTATED) -> int:
    """Promotes, pauses, resumes or aborts the rollout of a model.

    Returns:
        The revision from which it is so.

    Raises:
        NotFound: the model has no rollout.
        FailedPrecondition: it has ended, is so already, or the route was changed by somebody else meanwhile.
    """

    def decide(draft: Draft) -> None:
        rollout = draft.get(Rollout, keys.rollout(model))
        if rollout is None:
            raise NotFound(f"there is no rollout of model {model!r}")
        wanted = ordered(rollout, what)
        if elsewhere(rollout, draft.get(Model, keys.model(model))):
            raise FailedPrecondition(
                f"the calls of {model!r} no longer go where the {rollout.title} sent them"
            )
        _write(draft, wanted)

    return await commit(store, decide, action=f"{what} the rollout of {model}", origin=origin)


async def carry_on(store: Store, before: Rollout, now: Rollout, *, origin: Origin) -> int:
    """Takes a rollout one step further, or ends it, if it is still as it was.

    Raises:
        Conflict: somebody else has changed it, or the route; nothing was changed.
    """

    def decide(draft: Draft) -> None:
        if draft.get(Rollout, keys.rollout(before.model)) != before:
            raise Conflict(f"the {before.title} was changed by somebody else meanwhile")
        if now.state != "overtaken" and elsewhere(before, draft.get(Model, keys.model(before.model))):
            raise Conflict(f"the route of {before.model!r} was changed by somebody else meanwhile")
        _write(draft, now)

    where = now.state if now.ended else f"{now.steps[now.step]:g}%"
    return await commit(
        store, decide, action=f"{now.title}: {where}", origin=replace(origin, reason=now.reason)
    )


async def note(store: Store, before: Rollout, now: Rollout) -> None:
    """Keeps what a rollout has seen, without a record: no route changes by it.

    Raises:
        Conflict: somebody else has changed it; nothing was changed.
    """
    key = keys.rollout(before.model)
    entry = next((one for one in (await store.list(key)).entries if one.key == key), None)
    if entry is None or Rollout.decode(entry.value) != before:
        raise Conflict(f"the {before.title} was changed by somebody else meanwhile")
    await store.commit([Put(key, now.encode())], require=[Unchanged(key, entry.revision)])


def elsewhere(rollout: Rollout, model: Model | None) -> bool:
    """Whether the calls no longer go where the rollout sent them: somebody else has changed the route."""
    targets: Mapping[str, VersionTarget] = model.versions if model is not None else {}
    return {name: one.weight for name, one in targets.items() if one.weight > 0} != weights(rollout)


def after(now: Configuration, model: str, what: Order) -> Configuration:
    """The configuration after an order.

    Raises:
        NotFound: the model has no rollout.
        FailedPrecondition: it has ended, or is so already.
    """
    rollout, document = now.get(keys.rollout(model)), now.get(keys.model(model))
    if not isinstance(rollout, Rollout) or not isinstance(document, Model):
        raise NotFound(f"there is no rollout of model {model!r}")
    wanted = ordered(rollout, what)
    return {**now, keys.rollout(model): wanted, keys.model(model): routed(wanted, document)}


def _write(draft: Draft, rollout: Rollout) -> None:
    key = keys.model(rollout.model)
    model = draft.get(Model, key)
    draft.put(keys.rollout(rollout.model), rollout)
    if model is not None and rollout.state != "overtaken":
        draft.put(key, routed(rollout, model))
