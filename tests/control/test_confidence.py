"""Bounds of a share that hold at all times: how often they fail, and how soon they tell."""

import random

import pytest

from skysail.control.confidence import bounds, surest_tail


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.5])
def test_the_truth_is_outside_at_any_time_no_more_often_than_stated(share: float) -> None:
    source = random.Random(5)
    alpha, runs, failed = 0.1, 200, 0
    for _ in range(runs):
        hits, trials, wrong = 0, 0, False
        while trials < 2000 and not wrong:
            grown = 1 + trials // 8  # looks closer together than any loop's: after each eighth more
            hits += sum(source.random() < share for _ in range(grown))
            trials += grown
            low, high = bounds(hits, trials, alpha=alpha)
            wrong = not low <= share <= high
        failed += wrong
    assert failed / runs <= alpha, "although chance alone could add a little"


def test_bounds_tighten_around_what_was_seen() -> None:
    few, many = bounds(1, 10, alpha=0.05), bounds(100, 1000, alpha=0.05)
    assert few[0] < many[0] < 0.1 < many[1] < few[1]
    assert many[1] - many[0] < 0.08


def test_nothing_seen_leaves_everything_possible() -> None:
    assert bounds(0, 0, alpha=0.01) == (0.0, 1.0)
    low, high = bounds(0, 1000, alpha=0.01)
    assert low == 0.0 and 0.002 < high < 0.02
    assert bounds(5, 5, alpha=0.01)[1] == 1.0


def test_how_many_hits_a_tail_surely_allows() -> None:
    assert surest_tail(50, 0.01, alpha=0.01) is None
    hits = surest_tail(10_000, 0.01, alpha=0.01)
    assert hits is not None and 30 < hits < 100
    assert bounds(hits, 10_000, alpha=0.01)[1] < 0.01 <= bounds(hits + 1, 10_000, alpha=0.01)[1]
