"""Where the time of an application's calls went, by stage. Pure functions of a `Window`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from skysail.native._core import HistogramSnapshot
from skysail.telemetry.window import Window

__all__ = ["STAGES", "Breakdown", "Spread", "break_down", "predecessor", "spread"]

_NS = 1e-9
_CALLS = "skysail_frontend_request_duration_seconds"
_STAGE = "skysail_frontend_stage_duration_seconds"

#: The stages of a call, in order, and what each is in words.
STAGES: Mapping[str, str] = {
    "services": "in frontend, selector and batcher",
    "queue": "waiting for a replica",
    "fill": "waiting for the batch to fill",
    "hop": "on the way between processes",
    "staged": "waiting at the replica for the batch before",
    "model": "in the model",
}


@dataclass(frozen=True)
class Spread:
    """A distribution of seconds: how many, their mean, and quantiles."""

    count: int = 0
    mean_s: float = 0.0
    p50_s: float = 0.0
    p95_s: float = 0.0
    p99_s: float = 0.0


@dataclass(frozen=True)
class Breakdown:
    """Of an application, or of those of its calls that one version answered.

    Attributes:
        calls: from arrival to answer.
        stages: each over all calls; one that did not pass a stage spent no time there.
        replicas: of a batch at each replica, by "model/version/replica".
        hops: on the way to the next service and back, by where to.
        rate_per_s: calls answered.
        refused_per_s: calls that were turned away.
        hit_rate: the share of lookups that the cache answered or that joined an equal call; None: no lookups.
        batch_rows: the mean of rows of a batch.
        versions: that answered, as "model/version", those that answered most first.
    """

    calls: Spread = Spread()
    stages: Mapping[str, Spread] = field(default_factory=dict)
    replicas: Mapping[str, Spread] = field(default_factory=dict)
    hops: Mapping[str, Spread] = field(default_factory=dict)
    rate_per_s: float = 0.0
    refused_per_s: float = 0.0
    hit_rate: float | None = None
    batch_rows: float = 0.0
    versions: tuple[str, ...] = ()


def spread(seen: HistogramSnapshot, of: int | None = None) -> Spread:
    """The spread of nanoseconds, among `of` values of which those that were not seen are zero."""
    count = max(seen.count, of or 0)
    if count == 0:
        return Spread()

    def quantile(q: float) -> float:
        rank = max(1, math.ceil(q * count)) - (count - seen.count)
        return seen.quantile(min(1.0, rank / seen.count)) * _NS if rank > 0 else 0.0

    return Spread(count, seen.sum / count * _NS, quantile(0.50), quantile(0.95), quantile(0.99))


def break_down(window: Window, application: str, *, version: str = "") -> Breakdown:
    """What became of the calls of an application.

    Args:
        window: of all frontends and batchers.
        application: its name.
        version: "model/version" to look at the calls that it answered alone; empty: at all.
    """
    answered = [
        (model, number)
        for model in window.distinct(_STAGE, "model", application=application)
        for number in window.distinct(_STAGE, "version", application=application, model=model)
        if version in ("", f"{model}/{number}")
    ]
    stages = {
        stage: sum(
            (
                window.distribution(_STAGE, application=application, model=model, version=number, stage=stage)
                for model, number in answered
            ),
            start=HistogramSnapshot(),
        )
        for stage in STAGES
    }
    through = stages["services"].count  # every answered call passes there
    calls = window.distribution(_CALLS, application=application)
    lookups, found = (
        sum(window.total(f"skysail_cache_{name}", model=model, version=number) for model, number in answered)
        for name in ("lookups", "hits")
    )
    joined = sum(
        window.total("skysail_cache_coalesced", model=model, version=number) for model, number in answered
    )
    rows = sum(
        (
            window.distribution("skysail_batcher_batch_rows", model=model, version=number)
            for model, number in answered
        ),
        start=HistogramSnapshot(),
    )
    return Breakdown(
        calls=spread(calls) if not version else _whole(stages, through),
        stages={stage: spread(seen, through) for stage, seen in stages.items()},
        replicas={
            f"{model}/{number}/{replica}": spread(
                window.distribution(
                    "skysail_batcher_batch_duration_seconds", model=model, version=number, replica=replica
                )
            )
            for model, number in answered
            for replica in window.distinct(
                "skysail_batcher_batch_duration_seconds", "replica", model=model, version=number
            )
        },
        hops=_hops(window, answered),
        rate_per_s=(calls.count if not version else through) / window.seconds if window.seconds else 0.0,
        refused_per_s=window.rate("skysail_batcher_refused", application=application),
        hit_rate=(found + joined) / lookups if lookups else None,
        batch_rows=rows.mean,
        versions=_by_calls(window, application, answered),
    )


def predecessor(now: Breakdown, before: Breakdown) -> str:
    """The version that answered most before, when it answers nothing now; empty when it still does."""
    first = next(iter(before.versions), "")
    return first if now.versions and first not in now.versions else ""


def _by_calls(window: Window, application: str, answered: list[tuple[str, str]]) -> tuple[str, ...]:
    calls = {
        f"{model}/{version}": window.distribution(
            _STAGE, application=application, model=model, version=version, stage="services"
        ).count
        for model, version in answered
    }
    return tuple(sorted((name for name, count in calls.items() if count), key=lambda name: -calls[name]))


def _whole(stages: Mapping[str, HistogramSnapshot], through: int) -> Spread:
    """Of one version's calls the stages alone are known: their means add up, their quantiles do not."""
    mean_s = sum(seen.sum for seen in stages.values()) / through * _NS if through else 0.0
    return Spread(through, mean_s)


def _hops(window: Window, answered: list[tuple[str, str]]) -> dict[str, Spread]:
    found = {
        to: spread(window.distribution("skysail_hop_duration_seconds", to=to))
        for to in window.distinct("skysail_hop_duration_seconds", "to")
    }
    metric = "skysail_batcher_hop_duration_seconds"
    for model, version in answered:
        for replica in window.distinct(metric, "replica", model=model, version=version):
            seen = window.distribution(metric, model=model, version=version, replica=replica)
            found[f"replica {replica} of {model} version {version}"] = spread(seen)
    return {to: one for to, one in found.items() if one.count}
