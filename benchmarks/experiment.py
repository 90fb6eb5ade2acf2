"""What is measured: arms that run by turns, and the rows that compare them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.load import Seen
from benchmarks.servers import Servers
from benchmarks.stats import Goal

LOWER_IS_BETTER = {
    "rate": False,
    "held_rate": False,
    "p50_us": True,
    "p99_us": True,
    "refused_p99_us": True,
    "cpu_ms": True,
    "hop_cpu_ms": True,
    "last_ms": True,
    "model_cpu_ms": True,
    "good": False,
    "share": False,
    "idle_cpu": True,
    "rss_mb": True,
}
"""Every metric: calls a second, latencies, milliseconds of CPU a call, until the last answer, share
of a core, megabytes; calls in time, shares of what there is."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run of one arm.

    Attributes:
        metrics: by the names in ``LOWER_IS_BETTER``.
        faults: why the numbers mean nothing, if so.
    """

    metrics: Mapping[str, float]
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: Seen) -> Sample:
        """The sample of a closed loop, in which every call must succeed and every checked answer be right."""
        faults = []
        if seen.wrong:
            faults.append(f"{seen.wrong} of {seen.checked} checked answers were wrong")
        if seen.failed:
            faults.append(f"calls failed: {seen.errors}")
        if not seen.checked:
            faults.append("no answer was checked")
        metrics = {
            "rate": seen.rate,
            "p50_us": seen.p50_us,
            "p99_us": seen.p99_us,
            "cpu_ms": seen.cpu_ms_per_call,
        }
        return cls(metrics=metrics, faults=tuple(faults))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: a metric of the best subject over the same metric of the best baseline.

    Attributes:
        id: dotted; ``--only`` takes any prefix of whole words.
        subject: arms; of several the best counts, run by run.
        baseline: likewise; none for an absolute limit.
        metric: what is compared.
        baseline_metric: when the baseline's metric has another name.
        limit: stands in for the baseline of an absolute limit.
        goal: None for rows that only inform.
    """

    id: str
    subject: tuple[str, ...]
    baseline: tuple[str, ...] = ()
    metric: str
    baseline_metric: str | None = None
    limit: float | None = None
    goal: Goal | None = None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Arms that are run by turns, round after round.

    Attributes:
        rows: what is computed from the rounds.
        arms: by name, what runs once and measures; servers are best started when an arm first runs.
        control: the arm that runs twice a round, for the A/A comparison; None for absolute limits.
    """

    rows: tuple[Row, ...]
    arms: Callable[[Servers], Mapping[str, Callable[[], Sample]]]
    control: str | None = None


@dataclass(kw_only=True)
class Rounds:
    """The samples of an experiment, by arm, one a round.

    ``again`` has the second run of the control arm.
    """

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    again: list[Sample] = field(default_factory=list)
