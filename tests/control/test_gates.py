"""What gates say, and what they cannot be."""

import pytest

from skysail.control.errors import InvalidArgument
from skysail.control.gates import Gate, judge, parse
from skysail.control.tally import Tally
from skysail.native._core import Histogram


def timed(fast: int, slow: int, *, fast_ms: float = 5.0, slow_ms: float = 50.0) -> Tally:
    """Calls of two latencies, each call a batch of its own."""
    histogram = Histogram()
    for count, ms in ((fast, fast_ms), (slow, slow_ms)):
        for _ in range(count):
            histogram.record(round(ms * 1e6))
    latency = {str(bucket): n for bucket, n in histogram.snapshot().buckets.items()}
    return Tally(calls=fast + slow, trials=fast + slow, latency=latency)


def failed(errors: int, calls: int, *, trials: int | None = None) -> Tally:
    return Tally(calls=calls, errors=errors, trials=calls if trials is None else trials)


def word(gate: str, canary: Tally, baseline: Tally | None = None) -> str:
    return judge(parse(gate), canary, baseline or Tally(), alpha=0.01).word


@pytest.mark.parametrize(
    ("text", "metric", "factor", "offset"),
    [
        ("p99_ms<20", "p99_ms", 0.0, 20.0),
        (" p50_ms <= 1.5 ", "p50_ms", 0.0, 1.5),
        ("error_rate<=baseline+0.5%", "error_rate", 1.0, 0.005),
        ("error_rate<=baseline", "error_rate", 1.0, 0.0),
        ("error_rate<1%", "error_rate", 0.0, 0.01),
        ("p99_ms<=baseline*120%", "p99_ms", 1.2, 0.0),
        ("p90_ms<=baseline + 3", "p90_ms", 1.0, 3.0),
    ],
)
def test_what_a_gate_means(text: str, metric: str, factor: float, offset: float) -> None:
    assert parse(text) == Gate(text, metric, factor, pytest.approx(offset))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p98_ms<20", "'p98_ms' is no metric; there are error_rate, p50_ms, p90_ms, p99_ms"),
        ("<20", "'' is no metric"),
        ("p99_ms", "write METRIC<LIMIT, such as p99_ms<20"),
        ("p99_ms>20", "write METRIC<LIMIT"),
        ("p99_ms<fast", "the limit must be a number, baseline, .* got 'fast'"),
        ("p99_ms<baseline-1", "the limit must be"),
        ("p99_ms<20%", "p99_ms is in milliseconds, not in %"),
        ("p99_ms<0", "the limit must be above 0"),
        ("error_rate<100%", "must be below 1"),
    ],
)
def test_what_is_no_gate_is_named(text: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        parse(text)


def test_errors_are_broken_when_it_is_sure_met_when_few_and_open_between() -> None:
    assert word("error_rate<1%", failed(30, 300)) == "broken"
    assert word("error_rate<1%", failed(1, 300)) == "met"
    assert word("error_rate<1%", failed(2, 100)) == "open"


def test_errors_that_the_baseline_has_too_break_nothing() -> None:
    gate = "error_rate<=baseline+0.5%"
    assert word(gate, failed(30, 300), failed(3000, 30_000)) == "met"
    assert word(gate, failed(30, 300), failed(30, 30_000)) == "broken"
    assert word(gate, failed(30, 300), failed(1, 30)) == "open", "little is known of the baseline"


def test_calls_of_one_batch_are_one_trial() -> None:
    """One batch of 30 that failed is one mishap, not thirty."""
    assert word("error_rate<1%", failed(30, 300, trials=300)) == "broken"
    assert word("error_rate<1%", failed(30, 300, trials=10)) == "open"


def test_latencies_count_by_how_many_calls_are_slower() -> None:
    assert word("p99_ms<20", timed(1000, 2)) == "met"
    assert word("p99_ms<20", timed(1000, 60)) == "broken"
    assert word("p99_ms<20", timed(100, 2)) == "open"
    assert word("p50_ms<20", timed(1000, 60)) == "met"
    assert word("p99_ms<60", timed(1000, 60)) == "met"


def test_latencies_are_compared_with_the_baseline_s() -> None:
    gate = "p99_ms<=baseline*1.2"
    baseline = timed(20_000, 400)
    assert word(gate, timed(1000, 60), baseline) == "met", "the baseline's p99 is as slow"
    assert word(gate, timed(1000, 60, slow_ms=80.0), baseline) == "broken"
    assert word(gate, timed(1000, 60, slow_ms=80.0), timed(20, 0)) == "open", (
        "little is known of the baseline"
    )
    assert word(gate, timed(1000, 0, fast_ms=8.0), timed(20_000, 0)) == "broken"


def test_a_latency_just_within_its_limit_is_not_taken_for_one_above_it() -> None:
    """Buckets are 1/16 wide."""
    assert word("p99_ms<20", timed(5000, 0, fast_ms=19.95)) != "broken"
