"""What a rollout decides: by hand, and over many seeded trials of good and bad versions."""

import numpy as np
import pytest

from skysail.control.errors import FailedPrecondition, InvalidArgument
from skysail.control.rollout import FALSE_ALARMS, Rollout, advance, ordered, routed, weights
from skysail.control.schema import Model, VersionTarget
from skysail.control.tally import Tally
from skysail.native._core import Histogram

BEFORE = {"0": VersionTarget(replicas=1), "1": VersionTarget(weight=1.0, replicas=2)}


def plan(**fields: object) -> Rollout:
    return Rollout.make(
        **{
            "model": "digits",
            "version": "2",
            "baseline": "1",
            "steps": (1.0, 5.0, 25.0, 100.0),
            "hold_s": 30.0,
            "gates": ("error_rate<=baseline+0.5%",),
            "before": BEFORE,
            **fields,
        }
    )


def seen(calls: int = 0, errors: int = 0) -> Tally:
    return Tally(calls=calls, errors=errors, trials=calls)


def stepped(rollout: Rollout, calls: int = 1000, errors: int = 0, *, elapsed_s: float = 30.0) -> Rollout:
    return advance(rollout, seen(calls, errors), seen(10_000), elapsed_s=elapsed_s)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"steps": (5.0, 25.0)},
            "steps: must end with 100, so that the new version has all calls, got 5, 25",
        ),
        ({"steps": (5.0, 5.0, 100.0)}, "steps: must ascend, got 5, 5, 100"),
        ({"steps": (0.0, 100.0)}, "steps: must be above 0 and at most 100 percent, got 0, 100"),
        ({"steps": ()}, "steps: must hold between 1 and 32 steps"),
        ({"gates": ("speed<3",)}, "gates: gate 'speed<3': 'speed' is no metric"),
        ({"version": "1"}, "version: '1' takes the calls already"),
        ({"hold_s": -1.0}, "hold_s: must be between 0 and"),
    ],
)
def test_what_is_no_plan_is_refused_by_name(fields: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        plan(**fields)


def test_a_step_is_taken_when_it_was_held_and_saw_enough_and_not_before() -> None:
    first = plan()
    assert weights(first) == {"1": 99.0, "2": 1.0}
    held = stepped(first, elapsed_s=29.0)
    assert (held.step, held.reason) == (0, "holds 1% for 30 s")
    assert stepped(held, calls=0, elapsed_s=1.0).step == 1
    few = stepped(first, calls=99)
    assert (few.step, few.reason) == (0, "has seen 99 of 100 calls")
    second = stepped(few, calls=1, elapsed_s=0.0)
    assert (second.step, second.held_s, second.canary) == (1, 0.0, Tally())
    assert weights(second) == {"1": 95.0, "2": 5.0}


def test_one_step_at_a_time_to_the_end() -> None:
    rollout, steps = plan(), []
    for _ in range(4):
        assert not rollout.ended
        steps.append(rollout.step)
        rollout = stepped(rollout, elapsed_s=1e6)
    assert steps == [0, 1, 2, 3]
    assert (rollout.state, weights(rollout)) == ("done", {"2": 100.0})
    assert advance(rollout, seen(1000, 1000), Tally(), elapsed_s=1.0) is rollout


def test_a_broken_gate_rolls_back_at_once_and_says_why() -> None:
    back = stepped(plan(), calls=200, errors=40, elapsed_s=1.0)
    assert back.state == "rolled back"
    assert (
        back.reason == "error_rate<=baseline+0.5%: 20.00% of 200 calls failed, of the baseline 0.00% of 10000"
    )
    assert weights(back) == {"1": 1.0}


def test_what_looks_bad_but_is_not_sure_waits() -> None:
    waits = stepped(plan(), calls=100, errors=1)
    assert (waits.state, waits.step) == ("running", 0)
    assert waits.reason == "waits for error_rate<=baseline+0.5%"
    assert stepped(waits, calls=900).step == 1


def test_a_paused_rollout_holds_but_is_guarded() -> None:
    paused = ordered(plan(), "pause")
    still = stepped(paused, elapsed_s=1e6)
    assert (still.state, still.step, still.held_s) == ("paused", 0, 0.0)
    assert stepped(ordered(plan(hold_s=0.0), "pause")).step == 0, "though nothing else is waited for"
    assert stepped(paused, calls=200, errors=100).state == "rolled back"
    assert stepped(ordered(still, "resume")).step == 1


def test_orders_that_make_no_sense_are_refused() -> None:
    with pytest.raises(FailedPrecondition, match="the rollout of digits to 2 is running already"):
        ordered(plan(), "resume")
    done = ordered(plan(), "promote")
    assert weights(done) == {"2": 100.0}
    with pytest.raises(FailedPrecondition, match="has ended: it is done"):
        ordered(done, "abort")


def test_the_route_and_the_replicas_follow() -> None:
    model = Model(name="digits", versions={**BEFORE, "2": VersionTarget(replicas=2)})

    def shape(rollout: Rollout) -> dict[str, tuple[float, int]]:
        return {name: (one.weight, one.replicas) for name, one in routed(rollout, model).versions.items()}

    assert shape(plan()) == {"0": (0.0, 1), "1": (99.0, 2), "2": (1.0, 2)}
    assert shape(ordered(plan(), "promote")) == {"0": (0.0, 0), "1": (0.0, 2), "2": (100.0, 2)}
    assert shape(ordered(plan(), "abort")) == {"0": (0.0, 1), "1": (1.0, 2), "2": (0.0, 0)}
    warm = {**BEFORE, "2": VersionTarget(replicas=2)}
    assert shape(ordered(plan(before=warm), "abort"))["2"] == (0.0, 2)
    assert shape(stepped(plan(before=warm), errors=500))["2"] == (0.0, 0), "what is bad is stopped"


def trial(
    seed: int, *, failing: float, base: float = 0.001, slow: float = 0.0, looks: int = 30, **fields: object
) -> tuple[Rollout, int, int]:
    """A rollout under 200 calls in each look; how it ended, its calls, and those that the new version had."""
    source = np.random.default_rng(seed)
    rollout, calls, harmed = plan(**fields), 0, 0
    fast_ms, slow_ms = 5.0, 50.0
    while not rollout.ended and calls < 200 * looks * 40:
        share = rollout.steps[rollout.step] / 100
        new = int(source.binomial(200, share))
        tallies = []
        for count, rate, tail in ((new, failing, slow), (200 - new, base, 0.0)):
            late = int(source.binomial(count, tail)) if slow else 0
            histogram = Histogram()
            for n, ms in ((count - late, fast_ms), (late, slow_ms)):
                for _ in range(n if slow else 0):
                    histogram.record(round(ms * 1e6))
            buckets = {str(bucket): n for bucket, n in histogram.snapshot().buckets.items()}
            errors = int(source.binomial(count, rate))
            tallies.append(Tally(calls=count, errors=errors, trials=count, latency=buckets))
        rollout = advance(rollout, *tallies, elapsed_s=1.0)
        calls, harmed = calls + 200, harmed + new
    return rollout, calls, harmed


def test_good_versions_are_promoted() -> None:
    """As good as the baseline, in 100 seeded trials."""
    ends = [trial(seed, failing=0.001)[0].state for seed in range(100)]
    assert ends.count("done") >= 95


def test_versions_just_within_their_gate_are_rarely_rolled_back() -> None:
    """The rate of false alarms that is stated, at its worst: as bad as the gate allows, looked at often."""
    runs = 100
    ends = [trial(seed, failing=0.006, steps=(10.0, 50.0, 100.0), looks=10)[0].state for seed in range(runs)]
    assert ends.count("rolled back") <= FALSE_ALARMS * runs


@pytest.mark.parametrize(
    ("failing", "slow", "gates"),
    [
        (0.2, 0.0, ("error_rate<=baseline+0.5%",)),
        (0.001, 0.1, ("p99_ms<20",)),
        (0.001, 0.1, ("p99_ms<=baseline*1.5",)),
    ],
)
def test_bad_versions_are_rolled_back_before_they_have_harmed_many(
    failing: float, slow: float, gates: tuple[str, ...]
) -> None:
    for seed in range(10):
        rollout, calls, harmed = trial(seed, failing=failing, slow=slow, gates=gates)
        assert rollout.state == "rolled back"
        assert harmed <= 0.05 * calls + 200, "more than the steps that it was seen at allow"
