"""The batch limit from Python."""

from __future__ import annotations

import pytest

from skysail.native import LimitController


def test_the_limit_settles_where_a_full_batch_meets_its_objective() -> None:
    controller = LimitController()
    for _ in range(300):
        rows = controller.limit
        controller.observe(rows, 0.002 + 0.0001 * rows, 0.020, full=True)
    assert 160 <= controller.limit <= 182
    assert controller.estimate_s(100) == pytest.approx(0.012, rel=0.01)


def test_the_limit_never_passes_its_maximum() -> None:
    controller = LimitController(max_rows=10)
    for _ in range(50):
        controller.observe(controller.limit, 0.001, 0.020, full=True)
    assert controller.limit == 10


@pytest.mark.parametrize(
    "options", [{"initial_rows": 0}, {"max_rows": 0}, {"increase": 0}, {"decrease": 1}, {"decrease": 0}]
)
def test_options_out_of_range_are_refused_by_name(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        LimitController(**options)


def test_a_latency_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="latency_s"):
        LimitController().observe(1, float("nan"), 1, full=True)
