"""Ratios of interleaved runs: their median, an interval for it, and what a goal makes of them.

Pure functions of numbers. The interval is that of order statistics: for n independent runs the median lies
between the k-th smallest and the k-th largest with a probability that the binomial distribution gives,
whatever the runs' own distribution is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

CONFIDENCE = 0.9
"""Least coverage of an interval. Five pairs give 0.94 with their smallest and largest ratio."""

WIDEST_AA = 0.10
"""An A/A interval wider than this voids a row: the machine was too noisy to tell."""

LARGE_FACTOR = 2.0
"""From this factor on, the near bound of the interval must meet the goal too."""


class Verdict(StrEnum):
    """What became of a row."""

    MET = "met"
    MISSED = "missed"
    VOID = "void"
    INFORMATIVE = "informative"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A median and the interval that covers it."""

    median: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Width of the interval relative to the median; infinite when a run never ended."""
        return (self.high - self.low) / self.median if math.isfinite(self.high) else math.inf


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a ratio must be: at least ``factor`` or, with ``at_most``, no more than it.

    ``always``: the interval's near bound must be so as well, which of five rounds is the worst.
    """

    factor: float
    at_most: bool = False
    always: bool = False

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.factor:g}"

    def met_by(self, estimate: Estimate) -> bool:
        """Whether the median meets it and, for large factors or ``always``, the interval's near bound too."""
        large = self.factor >= LARGE_FACTOR or (self.at_most and self.factor <= 1 / LARGE_FACTOR)
        near = self.always or large
        if self.at_most:
            return (estimate.high if near else estimate.median) <= self.factor
        return (estimate.low if near else estimate.median) >= self.factor


def coverage(runs: int, rank: int) -> float:
    """Probability that the median lies from the ``rank``-th smallest to the ``rank``-th largest run."""
    outside = sum(math.comb(runs, i) for i in range(rank))
    return 1 - outside / float(2 ** (runs - 1))


def estimate(values: Sequence[float]) -> Estimate:
    """The median, with the narrowest interval of order statistics that covers it with ``CONFIDENCE``.

    Fewer runs than that needs give the whole range.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("an estimate needs at least one value")
    ordered = sorted(values)
    rank = 1
    while rank < (len(ordered) + 1) // 2 and coverage(len(ordered), rank + 1) >= CONFIDENCE:
        rank += 1
    return Estimate(median=statistics.median(ordered), low=ordered[rank - 1], high=ordered[-rank])


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """Pairwise ratios; a denominator of zero or infinity gives infinity or zero."""
    return [n / d if d else math.inf for n, d in zip(numerators, denominators, strict=True)]


def too_noisy(aa: Estimate) -> bool:
    """Whether two runs of the same thing differed too much."""
    return not aa.width <= WIDEST_AA


def judge(*, ratio: Estimate, goal: Goal | None, aa: Estimate | None, faults: Sequence[str]) -> Verdict:
    """What becomes of a row.

    Args:
        ratio: subject over baseline.
        goal: None for rows that only inform.
        aa: baseline over baseline; None where the row has no baseline (absolute limits).
        faults: wrong answers, failed calls: anything that makes a rate meaningless.
    """
    if faults or (aa is not None and too_noisy(aa)):
        return Verdict.VOID
    if goal is None:
        return Verdict.INFORMATIVE
    return Verdict.MET if goal.met_by(ratio) else Verdict.MISSED
