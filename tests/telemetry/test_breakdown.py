"""Where the time of calls went, from made-up windows."""

from __future__ import annotations

import pytest

from skysail.native import Histogram, HistogramSnapshot
from skysail.telemetry.breakdown import STAGES, Breakdown, break_down, predecessor, spread
from skysail.telemetry.window import Key, Window

MS = 1_000_000


def seen(*milliseconds: int) -> HistogramSnapshot:
    histogram = Histogram()
    for one in milliseconds:
        histogram.record(one * MS)
    return histogram.snapshot()


def window() -> Window:
    """Of 20 s: version 1 answered 10 calls, 6 of them from the cache; version 2 answered 2."""
    stage = "skysail_frontend_stage_duration_seconds"
    distributions: dict[Key, HistogramSnapshot] = {
        ("skysail_frontend_request_duration_seconds", ("shop",)): seen(*[50] * 12),
        ("skysail_batcher_batch_duration_seconds", ("m", "1", "0")): seen(40, 40),
        ("skysail_batcher_batch_duration_seconds", ("m", "1", "1")): seen(90),
        ("skysail_batcher_batch_duration_seconds", ("other", "1", "0")): seen(900),
        ("skysail_hop_duration_seconds", ("selectors",)): seen(1),
    }
    for version, calls, through in (("1", 10, 4), ("2", 2, 2)):
        for name in STAGES:
            times = seen(
                *[10 if name == "model" else 1] * (calls if name in ("services", "hop") else through)
            )
            distributions[stage, ("shop", "m", version, name)] = times
        distributions[stage, ("elsewhere", "m", version, "services")] = seen(7)
    values: dict[Key, float] = {
        ("skysail_cache_lookups", ("m", "1")): 10.0,
        ("skysail_cache_hits", ("m", "1")): 5.0,
        ("skysail_cache_coalesced", ("m", "1")): 1.0,
        ("skysail_batcher_refused", ("m", "1", "shop", "normal", "expired")): 40.0,
        ("skysail_batcher_refused", ("m", "1", "elsewhere", "normal", "expired")): 1000.0,
    }
    return Window(20.0, values, distributions)


def test_calls_that_did_not_pass_a_stage_spent_no_time_there() -> None:
    found = break_down(window(), "shop", version="m/1")
    model = found.stages["model"]
    assert (model.count, model.p50_s) == (10, 0.0)
    assert model.mean_s == pytest.approx(0.004)
    assert 0.010 <= model.p99_s <= 0.011
    assert found.calls.mean_s == pytest.approx(sum(one.mean_s for one in found.stages.values()))
    assert (found.rate_per_s, found.versions) == (0.5, ("m/1",))


def test_an_application_is_looked_at_with_its_own_versions_replicas_and_refusals() -> None:
    found = break_down(window(), "shop")
    assert found.calls.count == 12 and found.stages["services"].count == 12
    assert found.versions == ("m/1", "m/2")
    assert {name: one.count for name, one in found.replicas.items()} == {"m/1/0": 2, "m/1/1": 1}
    assert found.hit_rate == pytest.approx(0.6)
    assert found.refused_per_s == 2.0
    assert found.hops["selectors"].count == 1


def test_what_nobody_called_is_empty() -> None:
    found = break_down(window(), "nobody")
    assert found.calls.count == 0 and found.versions == () and found.hit_rate is None
    assert spread(HistogramSnapshot()).p99_s == 0.0


@pytest.mark.parametrize(
    ("now", "before", "answer"),
    [
        (("m/2",), ("m/1", "m/2"), "m/1"),
        (("m/2", "m/1"), ("m/1",), ""),
        (("m/1",), (), ""),
        ((), ("m/1",), ""),
    ],
)
def test_predecessor_is_what_answered_before_and_does_no_longer(
    now: tuple[str, ...], before: tuple[str, ...], answer: str
) -> None:
    assert predecessor(Breakdown(versions=now), Breakdown(versions=before)) == answer
