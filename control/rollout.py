"""A rollout: a model's calls go over to another version step by step, as long as its gates hold. Pure.

The document holds the plan, where it stands, and what was counted in this step, so that whoever drives it
(see `rollout_loop`) may die at any time: the next one goes on from the document. Nothing in it is an instant
of a clock; time is what those who drove it have measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import field_validator, model_validator

from skysail.control import gates
from skysail.control.errors import FailedPrecondition, InvalidArgument
from skysail.control.fields import Name, between, count, text
from skysail.control.gates import Verdict
from skysail.control.schema import Document, Model, VersionTarget
from skysail.control.tally import Tally
from skysail.control.warm import rested

__all__ = ["FALSE_ALARMS", "Order", "Rollout", "State", "advance", "ordered", "routed", "weights"]

#: The probability that a version that meets its gates is rolled back by them, over the whole rollout.
FALSE_ALARMS = 0.01

#: Overtaken: somebody else changed the route, and it stays as they did.
State = Literal["running", "paused", "done", "aborted", "rolled back", "overtaken"]
Order = Literal["promote", "pause", "resume", "abort"]


class Rollout(Document):
    """A plan, and where it stands."""

    model: Name
    #: The new version, which the calls go over to.
    version: Name
    #: The version that had them all.
    baseline: Name
    #: The new version's share of the calls in percent, ascending; the last is 100.
    steps: Annotated[tuple[float, ...], count(1, 32, "steps")]
    #: How long each step is held at least. Longer ones see more before they go on.
    hold_s: Annotated[float, between(0, 604_800, "s")] = 30.0
    #: A step is held until the new version has answered so many calls in it. 0: time alone counts.
    min_calls: Annotated[int, between(0, 10**9, "calls")] = 100
    #: What must hold, see `gates`.
    gates: Annotated[tuple[Annotated[str, text(256)], ...], count(0, 16, "gates")] = ()
    #: What was wanted of each version before.
    before: dict[Name, VersionTarget]
    state: State = "running"
    #: Counted from 0.
    step: Annotated[int, between(0, 31)] = 0
    #: For how long this step has been held.
    held_s: Annotated[float, between(0, 1e12, "s")] = 0.0
    #: What was counted of both versions in this step.
    canary: Tally = Tally()
    compared: Tally = Tally()
    #: What each gate says now, in the order of the gates.
    verdicts: tuple[Annotated[str, text(1024)], ...] = ()
    #: Why it has ended, or waits.
    reason: Annotated[str, text(1024)] = ""

    @field_validator("steps")
    @classmethod
    def _ascending(cls, steps: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < step <= 100 for step in steps):
            raise ValueError(f"must be above 0 and at most 100 percent, got {_listed(steps)}")
        if any(one >= next_ for one, next_ in zip(steps, steps[1:], strict=False)):
            raise ValueError(f"must ascend, got {_listed(steps)}")
        if steps and steps[-1] != 100:
            raise ValueError(
                f"must end with 100, so that the new version has all calls, got {_listed(steps)}"
            )
        return steps

    @field_validator("gates")
    @classmethod
    def _readable(cls, stated: tuple[str, ...]) -> tuple[str, ...]:
        for one in stated:
            try:
                gates.parse(one)
            except InvalidArgument as error:
                raise ValueError(str(error)) from None
        return stated

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.version == self.baseline:
            raise ValueError(f"version: {self.version!r} takes the calls already")
        if self.step >= len(self.steps):
            raise ValueError(f"step: there are {len(self.steps)}, got {self.step}")
        if self.baseline not in self.before:
            raise ValueError(f"before: says nothing of {self.baseline!r}")
        return self

    @property
    def ended(self) -> bool:
        """Whether it moves no more."""
        return self.state not in ("running", "paused")

    @property
    def title(self) -> str:
        """In words, such as "rollout of digits to 2"."""
        return f"rollout of {self.model} to {self.version}"


def weights(rollout: Rollout) -> dict[str, float]:
    """How the calls are split over versions as it stands."""
    if rollout.state in ("aborted", "rolled back"):
        return {name: target.weight for name, target in rollout.before.items() if target.weight > 0}
    share = 100.0 if rollout.state == "done" else rollout.steps[rollout.step]
    split = {rollout.baseline: 100.0 - share, rollout.version: share}
    return {name: weight for name, weight in split.items() if weight > 0}


def routed(rollout: Rollout, model: Model) -> Model:
    """The model's document, with the route of the rollout as it stands.

    While it runs nothing is stopped. A version that broke its gates is; one that somebody aborts has as many
    replicas as before. When all is done, the version before stays warm and what had been warm is stopped.
    """
    split = weights(rollout)
    targets = {
        name: target.model_copy(update={"weight": split.get(name, 0.0)})
        for name, target in model.versions.items()
    }
    if rollout.state == "done":
        targets = rested(rollout.before, targets, keep=model.keep_warm)
    elif rollout.ended:
        there = rollout.before.get(rollout.version) if rollout.state == "aborted" else None
        targets[rollout.version] = VersionTarget(weight=0.0, replicas=there.replicas if there else 0)
    return model.model_copy(update={"versions": targets})


def advance(rollout: Rollout, canary: Tally, baseline: Tally, *, elapsed_s: float) -> Rollout:
    """The rollout after some time in which so much was counted.

    Args:
        rollout: as it stands.
        canary: what was counted of the new version meanwhile.
        baseline: what was counted of the other one.
        elapsed_s: how long that was.

    Returns:
        The same, or the next step of it; at most one step is taken at once.
    """
    if rollout.ended:
        return rollout
    seen = rollout.model_copy(
        update={
            "canary": rollout.canary + canary,
            "compared": rollout.compared + baseline,
            "held_s": rollout.held_s + (elapsed_s if rollout.state == "running" else 0.0),
        }
    )
    verdicts = _judged(seen)
    seen = seen.model_copy(
        update={"verdicts": tuple(f"{gate}: {one.word}, {one.text}" for gate, one in verdicts)}
    )
    broken = [f"{gate}: {one.text}" for gate, one in verdicts if one.word == "broken"]
    if broken:
        return seen.model_copy(update={"state": "rolled back", "reason": "; ".join(broken)[:1024]})
    waits = _waits(seen, verdicts)
    if waits or seen.state == "paused":
        return seen.model_copy(update={"reason": waits})
    if seen.step + 1 == len(seen.steps):
        return seen.model_copy(
            update={"state": "done", "reason": "every step was held and its gates were met"}
        )
    return seen.model_copy(
        update={
            "step": seen.step + 1,
            "held_s": 0.0,
            "canary": Tally(),
            "compared": Tally(),
            "verdicts": (),
            "reason": "",
        }
    )


def ordered(rollout: Rollout, order: Order) -> Rollout:
    """The rollout after somebody's order.

    Raises:
        FailedPrecondition: it has ended, or is so already.
    """
    if rollout.ended:
        raise FailedPrecondition(f"the {rollout.title} has ended: it is {rollout.state}")
    if order == "pause" and rollout.state == "paused":
        raise FailedPrecondition(f"the {rollout.title} is paused already")
    if order == "resume" and rollout.state == "running":
        raise FailedPrecondition(f"the {rollout.title} is running already")
    states: Mapping[Order, State] = {
        "promote": "done",
        "pause": "paused",
        "resume": "running",
        "abort": "aborted",
    }
    return rollout.model_copy(update={"state": states[order], "reason": ""})


def _judged(rollout: Rollout) -> list[tuple[str, Verdict]]:
    parsed = [gates.parse(one) for one in rollout.gates]
    # Any gate, in any step, could raise a false alarm: each has its part of what all of them may.
    alpha = FALSE_ALARMS / max(1, len(parsed) * len(rollout.steps))
    # Where the new version has all the calls there is nothing to compare it with.
    alone = rollout.steps[rollout.step] == 100
    return [
        (gate.text, gates.judge(gate, rollout.canary, rollout.compared, alpha=alpha))
        for gate in parsed
        if not (gate.relative and alone)
    ]


def _waits(rollout: Rollout, verdicts: list[tuple[str, Verdict]]) -> str:
    """What the next step waits for besides; empty: nothing."""
    if rollout.held_s < rollout.hold_s:
        return f"holds {rollout.steps[rollout.step]:g}% for {rollout.hold_s:g} s"
    if rollout.canary.calls < rollout.min_calls:
        return f"has seen {rollout.canary.calls} of {rollout.min_calls} calls"
    still = [gate for gate, one in verdicts if one.word == "open"]
    return f"waits for {', '.join(still)}"[:1024] if still else ""


def _listed(steps: tuple[float, ...]) -> str:
    return ", ".join(f"{step:g}" for step in steps)
