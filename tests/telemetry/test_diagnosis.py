"""What is named as the cause of slow calls, on made-up breakdowns; on a real mesh it is tests/latency."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skysail.telemetry.breakdown import STAGES, Breakdown, Spread
from skysail.telemetry.diagnosis import Diagnosis, diagnose


def spread(mean_ms: float, p99_ms: float | None = None, count: int = 1000) -> Spread:
    tail_s = (mean_ms * 2 if p99_ms is None else p99_ms) / 1e3
    return Spread(count, mean_ms / 1e3, mean_ms / 1e3, tail_s, tail_s)


def breakdown(**stages_ms: float) -> Breakdown:
    """A calm application, but for the stages that are stated."""
    calm = {"services": 0.1, "queue": 0.5, "fill": 0.0, "hop": 0.2, "staged": 0.1, "model": 2.0}
    return Breakdown(
        calls=spread(sum({**calm, **stages_ms}.values())),
        stages={name: spread({**calm, **stages_ms}[name]) for name in STAGES},
        replicas={f"m/1/{place}": spread(2.5, count=300) for place in range(3)},
        hops={"selectors": spread(0.1), "batchers": spread(0.1)},
        rate_per_s=100.0,
        batch_rows=4.0,
        versions=("m/1",),
    )


CALM = breakdown()


def named(found: Diagnosis) -> tuple[str, str, str]:
    return found.stage, found.grew, found.cause


def test_calm_application_is_said_to_be_as_it_was() -> None:
    found = diagnose(CALM, CALM, reference="in the hour before")
    assert named(found) == ("model", "", "model")
    assert "No stage takes noticeably longer than in the hour before." in found.sentence


def test_slow_model() -> None:
    found = diagnose(breakdown(model=40.0), CALM, reference="in the hour before")
    assert named(found) == ("model", "model", "model")
    assert "in the model: 80 ms; a batch has 4.0 rows." in found.sentence
    assert "40 ms on average, 2 ms in the hour before." in found.sentence


def test_queue_behind_a_model_that_became_slower_is_the_models() -> None:
    assert named(diagnose(breakdown(model=20.0, queue=90.0), CALM)) == ("queue", "queue", "model")


def test_queue_of_a_model_that_is_as_fast_as_ever_is_overload() -> None:
    assert named(diagnose(breakdown(queue=90.0), CALM)) == ("queue", "queue", "overload")
    refused = diagnose(replace(breakdown(queue=90.0), refused_per_s=30.0), CALM)
    assert refused.cause == "overload" and "30.0 calls/s are turned away" in refused.sentence


def test_model_that_takes_longer_for_larger_batches_is_overloaded_and_not_slower() -> None:
    larger = replace(breakdown(queue=90.0, model=8.0), batch_rows=64.0)
    assert diagnose(larger, CALM).cause == "overload"


def test_cache_that_went_cold() -> None:
    warm = replace(breakdown(model=0.2, queue=0.05), hit_rate=0.9)
    found = diagnose(replace(CALM, hit_rate=0.02), warm, reference="in the hour before")
    assert named(found) == ("model", "model", "cache")
    assert "the cache answers 2% of the calls, 90% in the hour before" in found.sentence


def test_one_slow_replica_among_three() -> None:
    replicas = {**CALM.replicas, "m/1/2": spread(80.0, count=40)}
    found = diagnose(replace(breakdown(model=12.0), replicas=replicas), CALM)
    assert named(found) == ("model", "model", "replica")
    assert "replica m/1/2 takes 80 ms for a batch, the others 2.5 ms" in found.sentence


def test_replica_that_ran_next_to_nothing_is_not_judged() -> None:
    replicas = {**CALM.replicas, "m/1/2": spread(80.0, count=2)}
    assert diagnose(replace(breakdown(model=12.0), replicas=replicas), CALM).cause == "model"


def test_slow_hop_is_named_by_where_it_goes() -> None:
    slow = replace(breakdown(hop=30.0), hops={"selectors": spread(0.1), "batchers": spread(29.0)})
    found = diagnose(slow, CALM)
    assert named(found) == ("hop", "hop", "hop")
    assert "slowest to the batchers (58 ms)" in found.sentence


def test_batches_that_are_kept_too_long() -> None:
    assert named(diagnose(breakdown(fill=50.0), CALM)) == ("fill", "fill", "fill")


def test_busy_services() -> None:
    assert named(diagnose(breakdown(services=50.0), CALM)) == ("services", "services", "services")


@pytest.mark.parametrize("before", [None, Breakdown()])
def test_without_anything_before_the_stage_is_named_all_the_same(before: Breakdown | None) -> None:
    found = diagnose(breakdown(fill=50.0), before)
    assert named(found) == ("fill", "", "fill")
    assert "nothing to compare with" in found.sentence


def test_application_that_nobody_answers() -> None:
    assert named(diagnose(Breakdown(), CALM)) == ("", "", "")
