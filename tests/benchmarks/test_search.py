from __future__ import annotations

import pytest

from benchmarks import search


@pytest.mark.parametrize("border", [60.0, 999.0, 1000.0, 1001.0, 54_321.0])
def test_border_is_found_from_any_start(border: float) -> None:
    for start in (100.0, 1000.0, 80_000.0):
        found = search.highest_passing(lambda rate: rate <= border, start=start)
        assert border / search.RESOLUTION <= found <= border


def test_a_start_near_the_border_costs_few_probes() -> None:
    probes: list[float] = []

    def passes(rate: float) -> bool:
        probes.append(rate)
        return rate <= 1100

    search.highest_passing(passes, start=1000)
    assert len(probes) <= 6


def test_a_server_that_holds_nothing_gets_zero() -> None:
    assert search.highest_passing(lambda _: False, start=1000) == 0.0
