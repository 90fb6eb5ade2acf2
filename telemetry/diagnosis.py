"""Names what makes an application slow, from where its time went now and before. Pure.

The stage in which the slowest hundredth of calls spends most dominates. What grew is judged by the mean,
because means of stages add up to the mean of calls. Behind a stage may lie another cause: one slow replica, a
cache that answers less, calls that come faster than they can be answered.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from skysail.telemetry.breakdown import STAGES, Breakdown, Spread

__all__ = ["Diagnosis", "diagnose"]

#: A stage has grown when it takes so many times as long, and by this share of what the mean call took.
GROWN = 1.5
NOTICEABLE = 0.2
#: A replica is slow when a batch takes so many times as long there as at the others, in so many batches.
SLOW = 2.0
FEWEST_BATCHES = 3
#: A cache has gone cold when it answers this share of the calls less.
COLD = 0.2


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        stage: that dominates; empty when no call was answered.
        grew: the stage that grew most; empty when none did, or there is nothing to compare with.
        cause: "hop", "fill", "replica", "cache", "overload", "model" or "services"; empty as `stage` is.
        sentence: all of it for people.
    """

    stage: str
    grew: str
    cause: str
    sentence: str


def diagnose(now: Breakdown, before: Breakdown | None = None, *, reference: str = "before") -> Diagnosis:
    """What makes calls slow.

    Args:
        now: where their time goes.
        before: where it went; None, or without calls: nothing to compare with.
        reference: what `before` is, such as "in the hour before".
    """
    if not any(one.count for one in now.stages.values()):
        return Diagnosis("", "", "", "No call was answered by a model.")
    if before is not None and not any(one.count for one in before.stages.values()):
        before = None
    stage = max(STAGES, key=lambda name: (now.stages[name].p99_s, now.stages[name].mean_s))
    grew = _grew(now, before)
    cause, why = _cause(stage, grew, now, before, reference)
    first = (
        f"The slowest hundredth of calls spends most of its time {STAGES[stage]}: "
        f"{_ms(now.stages[stage].p99_s)}"
    )
    return Diagnosis(stage, grew, cause, f"{first}{why}.{_told(grew, now, before, reference)}")


def _grew(now: Breakdown, before: Breakdown | None) -> str:
    if before is None:
        return ""
    growth = {name: now.stages[name].mean_s - before.stages[name].mean_s for name in STAGES}
    most = max(growth, key=lambda name: growth[name])
    was_s = sum(before.stages[name].mean_s for name in STAGES)
    noticed = growth[most] > NOTICEABLE * was_s
    return most if noticed and now.stages[most].mean_s > GROWN * before.stages[most].mean_s else ""


def _cause(
    stage: str, grew: str, now: Breakdown, before: Breakdown | None, reference: str
) -> tuple[str, str]:
    if stage == "hop":
        to = max(now.hops, key=lambda name: now.hops[name].p99_s, default="")
        return "hop", f", slowest to the {to} ({_ms(now.hops[to].p99_s)})" if to else ""
    if stage == "fill":
        return "fill", f"; a batch has {now.batch_rows:.1f} rows"
    slow = _slow_replica(now.replicas)
    if slow is not None:
        name, took_s, others_s = slow
        return "replica", (f"; replica {name} takes {_ms(took_s)} for a batch, the others {_ms(others_s)}")
    was, is_now = before.hit_rate if before is not None else None, now.hit_rate
    if was is not None and is_now is not None and was - is_now >= COLD:
        return "cache", f"; the cache answers {is_now:.0%} of the calls, {was:.0%} {reference}"
    if stage in ("queue", "staged"):
        if _slower_model(now, before):
            return "model", "; the model itself has become slower, and calls queue behind it"
        if now.refused_per_s > 0:
            return "overload", (
                f"; {now.refused_per_s:.1f} calls/s are turned away beside the {now.rate_per_s:.1f} calls/s "
                "that are answered: more is asked than the replicas can do"
            )
        return "overload", f"; {now.rate_per_s:.1f} calls/s are more than the replicas can do without a queue"
    if stage == "model":
        return "model", f"; a batch has {now.batch_rows:.1f} rows"
    return "services", ""


def _slower_model(now: Breakdown, before: Breakdown | None) -> bool:
    if before is None:
        return False
    is_s, was_s = now.stages["model"].mean_s, before.stages["model"].mean_s
    return was_s > 0 and is_s > GROWN * was_s and now.batch_rows < GROWN * max(before.batch_rows, 1.0)


def _slow_replica(replicas: Mapping[str, Spread]) -> tuple[str, float, float] | None:
    seen = {name: one for name, one in replicas.items() if one.count >= FEWEST_BATCHES}
    if len(seen) < 2:
        return None
    name = max(seen, key=lambda one: seen[one].mean_s)
    others_s = statistics.median(one.mean_s for other, one in seen.items() if other != name)
    took_s = seen[name].mean_s
    return (name, took_s, others_s) if took_s > SLOW * others_s else None


def _told(grew: str, now: Breakdown, before: Breakdown | None, reference: str) -> str:
    if before is None:
        return " There is nothing to compare with yet."
    if not grew:
        return f" No stage takes noticeably longer than {reference}."
    is_s, was_s = now.stages[grew].mean_s, before.stages[grew].mean_s
    return f" What grew most is the time {STAGES[grew]}: {_ms(is_s)} on average, {_ms(was_s)} {reference}."


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms"
