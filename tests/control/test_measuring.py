"""From counters of many processes to what happened to one version's calls."""

from skysail.control.measuring import grown, tally
from skysail.control.tally import Tally
from skysail.native._core import Histogram
from skysail.telemetry.window import Window

REQUESTS = "skysail_batcher_requests"


def counted(*values: int) -> Window:
    """A window with some calls of each kind."""
    histogram, rows = Histogram(), Histogram()
    for _ in range(4):
        histogram.record(5_000_000)
        rows.record(3)
    codes = ("ok", "internal", "resource_exhausted", "cancelled", "invalid_argument")
    return Window(
        1.0,
        {
            **{(REQUESTS, ("m", "1", code)): n for code, n in zip(codes, values, strict=True)},
            (REQUESTS, ("m", "2", "internal")): 1000,
            ("skysail_batcher_dispatched", ("m", "1", "shop", "normal")): 9,
        },
        {
            ("skysail_batcher_request_duration_seconds", ("m", "1")): histogram.snapshot(),
            ("skysail_batcher_batch_rows", ("m", "1")): rows.snapshot(),
        },
    )


def test_what_callers_did_themselves_says_nothing_of_the_version() -> None:
    found = tally(counted(10, 2, 3, 100, 100), "m", "1")
    assert (found.calls, found.errors) == (15, 5)
    assert found.trials == 4 + 15 - 9, "four batches, and calls that no replica was given"
    assert found.timed == 4
    assert 5.0 <= found.quantile_ms(0.99) < 5.4


def test_only_what_was_counted_between_two_looks_counts() -> None:
    before = {"a": {"1": Tally(calls=100, errors=7, trials=50, latency={"3": 9})}}
    now = {
        "a": {"1": Tally(calls=110, errors=8, trials=60, latency={"3": 10, "4": 1})},
        "new": {"1": Tally(calls=999, errors=999)},
    }
    assert grown(before, now, "1") == Tally(calls=10, errors=1, trials=10, latency={"3": 1, "4": 1})
    later = {**now, "new": {"1": Tally(calls=1001, errors=999)}}
    assert grown(now, later, "1") == Tally(calls=2)
    assert grown(before, {"a": {"1": Tally(calls=1)}}, "1") == Tally(), "counting began again"
    assert grown(before, {}, "1") == Tally(), "it did not answer"
