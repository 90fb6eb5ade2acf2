"""Histograms from Python."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysail.native import Histogram, HistogramSnapshot


@given(st.lists(st.integers(0, 1 << 41), min_size=1), st.floats(0, 1))
def test_a_quantile_is_at_most_a_sixteenth_too_high(values: list[int], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    snapshot = histogram.snapshot()
    truth = sorted(values)[max(math.ceil(q * len(values)), 1) - 1]
    assert truth <= snapshot.quantile(q) <= truth * 17 / 16
    assert (snapshot.count, snapshot.sum) == (len(values), sum(values))


def test_snapshots_subtract_to_a_window_and_add_up() -> None:
    histogram = Histogram()
    histogram.record(3)
    earlier = histogram.snapshot()
    histogram.record(9)
    window = histogram.snapshot() - earlier
    assert (window.count, window.sum, window.quantile(0.5), window.mean) == (1, 9, 9, 9.0)
    total = sum([window, earlier], start=HistogramSnapshot())
    assert (total.count, total.sum) == (2, 12)
    assert earlier.count == 1


def test_a_snapshot_is_rebuilt_from_its_buckets() -> None:
    histogram = Histogram()
    for value in (0, 7, 7, 1_000_000, 1 << 60):
        histogram.record(value)
    told = histogram.snapshot()
    again = HistogramSnapshot(told.buckets, told.sum)
    assert list(told.buckets.values()) == [1, 2, 1, 1]
    assert (again.count, again.sum, again.buckets) == (told.count, told.sum, told.buckets)
    assert again.quantile(0.6) == told.quantile(0.6)
    assert (again - told).count == 0
    with pytest.raises(ValueError, match="no such bucket"):
        HistogramSnapshot({1 << 20: 1}, 0)


def test_a_quantile_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="q must be"):
        Histogram().snapshot().quantile(1.5)
