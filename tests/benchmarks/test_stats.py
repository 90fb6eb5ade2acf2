from __future__ import annotations

import math
import random

import pytest

from benchmarks import stats
from benchmarks.stats import Estimate, Goal, Verdict


def certain(value: float) -> Estimate:
    return Estimate(median=value, low=value, high=value)


def test_coverage_is_that_of_the_binomial_distribution() -> None:
    assert stats.coverage(5, 1) == pytest.approx(1 - 2 / 32)
    assert stats.coverage(8, 2) == pytest.approx(1 - 2 * (1 + 8) / 256)


@pytest.mark.parametrize(
    ("runs", "low", "high"),
    [(1, 1, 1), (3, 1, 3), (5, 1, 5), (7, 1, 7), (8, 2, 7), (11, 3, 9)],
)
def test_interval_is_the_narrowest_that_covers(runs: int, low: int, high: int) -> None:
    values = [float(v) for v in range(1, runs + 1)]
    random.Random(runs).shuffle(values)
    estimate = stats.estimate(values)
    assert (estimate.low, estimate.high) == (low, high)
    assert estimate.median == (runs + 1) / 2


def test_interval_covers_the_true_median_as_often_as_it_says() -> None:
    source = random.Random(5)
    covered = 0
    for _ in range(2000):
        estimate = stats.estimate([source.lognormvariate(0, 1) for _ in range(8)])
        covered += estimate.low <= 1.0 <= estimate.high
    assert covered / 2000 == pytest.approx(stats.coverage(8, 2), abs=0.02)


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        stats.estimate([])


def test_small_factors_are_judged_by_the_median() -> None:
    estimate = Estimate(median=1.71, low=1.2, high=2.5)
    assert Goal(factor=1.7).met_by(estimate)
    assert not Goal(factor=1.72).met_by(estimate)
    assert Goal(factor=0.75, at_most=True).met_by(Estimate(median=0.74, low=0.5, high=0.9))


def test_what_must_always_hold_is_judged_by_the_worst() -> None:
    limit = Goal(factor=1, at_most=True, always=True)
    assert limit.met_by(Estimate(median=0.5, low=0.1, high=1.0))
    assert not limit.met_by(Estimate(median=0.5, low=0.1, high=1.01))


def test_large_factors_need_the_near_bound() -> None:
    assert not Goal(factor=3).met_by(Estimate(median=3.5, low=2.9, high=4))
    assert Goal(factor=3).met_by(Estimate(median=3.5, low=3.0, high=4))
    assert not Goal(factor=0.3, at_most=True).met_by(Estimate(median=0.25, low=0.2, high=0.31))
    assert Goal(factor=0.5, at_most=True).met_by(Estimate(median=0.4, low=0.3, high=0.5))


def test_a_noisy_machine_voids_whatever_the_ratio_is() -> None:
    noisy = Estimate(median=1.0, low=0.94, high=1.05)
    assert stats.judge(ratio=certain(9), goal=Goal(factor=3), aa=noisy, faults=()) is Verdict.VOID
    quiet = Estimate(median=1.0, low=0.96, high=1.05)
    assert stats.judge(ratio=certain(9), goal=Goal(factor=3), aa=quiet, faults=()) is Verdict.MET


def test_a_fault_voids_a_row() -> None:
    verdict = stats.judge(ratio=certain(9), goal=Goal(factor=3), aa=certain(1), faults=["1 wrong"])
    assert verdict is Verdict.VOID


def test_rows_without_a_goal_inform() -> None:
    assert stats.judge(ratio=certain(1), goal=None, aa=None, faults=()) is Verdict.INFORMATIVE


def test_a_run_that_never_ended_is_infinitely_noisy() -> None:
    assert stats.ratios([math.inf, 1.0], [1.0, 0.0]) == [math.inf, math.inf]
    assert stats.too_noisy(stats.estimate([1.0, 1.0, math.inf]))
