from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from benchmarks import runner
from benchmarks.__main__ import select
from benchmarks.experiment import Experiment, Row, Sample
from benchmarks.rows import EXPERIMENTS
from benchmarks.stats import Goal, Verdict


def experiment(*rows: Row, control: str | None = "base") -> Experiment:
    return Experiment(rows=rows, arms=lambda _: {}, control=control)


def arm(values: Iterator[float], *, fault: str = "", log: list[str] | None = None) -> Callable[[], Sample]:
    def run() -> Sample:
        if log is not None:
            log.append(fault)
        return Sample(metrics={"rate": next(values), "cpu_ms": 1.0}, faults=(fault,) if fault else ())

    return run


RATE = Row(id="x.rate", subject=("new",), baseline=("base",), metric="rate", goal=Goal(factor=3))


def test_ratio_is_taken_pair_by_pair() -> None:
    arms = {"new": arm(iter([30.0, 66.0, 90.0])), "base": arm(itertools.repeat(10.0))}
    _, (result,) = runner.run(experiment(RATE), arms, pairs=3, most_pairs=3)
    assert (result.ratio.low, result.ratio.median, result.ratio.high) == (3.0, 6.6, 9.0)
    assert result.verdict is Verdict.MET


def test_control_runs_twice_a_round_and_no_arm_always_comes_first() -> None:
    order: list[str] = []

    def logged(name: str) -> Callable[[], Sample]:
        def run() -> Sample:
            order.append(name)
            return Sample(metrics={"rate": 10.0})

        return run

    runner.run(experiment(RATE), {"new": logged("new"), "base": logged("base")}, pairs=6, most_pairs=6)
    rounds = [order[i : i + 3] for i in range(0, 18, 3)]
    assert all(sorted(names) == ["base", "base", "new"] for names in rounds)
    assert {names[0] for names in rounds} == {"base", "new"}


def test_noise_in_the_control_brings_more_rounds_and_then_voids() -> None:
    arms = {"new": arm(itertools.repeat(50.0)), "base": arm(itertools.cycle([10.0, 13.0, 10.0]))}
    rounds, (result,) = runner.run(experiment(RATE), arms, pairs=2, most_pairs=4)
    assert len(rounds.again) == 4
    assert result.verdict is Verdict.VOID


def test_a_subject_below_its_goal_brings_no_more_rounds() -> None:
    arms = {"new": arm(itertools.repeat(29.0)), "base": arm(itertools.repeat(10.0))}
    rounds, (result,) = runner.run(experiment(RATE), arms, pairs=2, most_pairs=9)
    assert len(rounds.again) == 2
    assert result.verdict is Verdict.MISSED


@pytest.mark.parametrize("faulty", ["new", "base"])
def test_a_fault_in_either_arm_voids_the_row(faulty: str) -> None:
    arms = {
        name: arm(itertools.repeat(value), fault="3 wrong" if name == faulty else "")
        for name, value in (("new", 50.0), ("base", 10.0))
    }
    _, (result,) = runner.run(experiment(RATE), arms, pairs=2, most_pairs=2)
    assert result.verdict is Verdict.VOID
    assert result.faults == (f"{faulty}: 3 wrong",)


def test_best_of_several_arms_counts_by_the_metric() -> None:
    def fixed(rate: float, cpu_ms: float) -> Callable[[], Sample]:
        return lambda: Sample(metrics={"rate": rate, "cpu_ms": cpu_ms})

    rows = (
        Row(id="r", subject=("new",), baseline=("base", "other"), metric="rate"),
        Row(id="c", subject=("new",), baseline=("base", "other"), metric="cpu_ms"),
    )
    arms = {"new": fixed(100, 1), "base": fixed(10, 2), "other": fixed(20, 4)}
    _, (rate, cpu) = runner.run(experiment(*rows), arms, pairs=1, most_pairs=1)
    assert rate.ratio.median == 5
    assert cpu.ratio.median == 0.5


def test_arms_that_no_row_speaks_of_are_not_run() -> None:
    def refuse() -> Sample:
        raise AssertionError("nobody needs this arm")

    arms = {"new": arm(itertools.repeat(50.0)), "base": arm(itertools.repeat(10.0)), "other": refuse}
    _, (result,) = runner.run(experiment(RATE), arms, pairs=2, most_pairs=2)
    assert result.verdict is Verdict.MET


def test_absolute_limits_need_no_control() -> None:
    row = Row(id="i", subject=("new",), metric="rss_mb", limit=90, goal=Goal(factor=1, at_most=True))
    arms = {"new": lambda: Sample(metrics={"rss_mb": 45.0})}
    _, (result,) = runner.run(experiment(row, control=None), arms, pairs=1, most_pairs=3)
    assert result.ratio.median == 0.5
    assert result.aa is None
    assert result.verdict is Verdict.MET


def test_a_limit_beside_a_row_with_a_control_needs_nothing_of_it() -> None:
    late = Row(id="late", subject=("new",), metric="p99_us", limit=5000, goal=Goal(factor=1, at_most=True))
    arms = {
        "new": lambda: Sample(metrics={"rate": 30.0, "p99_us": 1000.0}),
        "base": lambda: Sample(metrics={"rate": 10.0}),
    }
    _, (rate, result) = runner.run(experiment(RATE, late), arms, pairs=3, most_pairs=3)
    assert (rate.verdict, result.verdict) == (Verdict.MET, Verdict.MET)
    assert result.ratio.median == 0.2


def test_rows_are_selected_by_whole_words_of_their_ids() -> None:
    ids = {row.id for chosen in select(EXPERIMENTS, ["mesh.64", "net"]) for row in chosen.rows}
    assert ids == {"mesh.64.rate", "mesh.64.rest", "net.rate", "net.cpu", "net.grpcio"}
    with pytest.raises(SystemExit, match="no row begins with 'mes'"):
        select(EXPERIMENTS, ["mes"])


def test_row_ids_are_unique() -> None:
    ids = [row.id for one in EXPERIMENTS for row in one.rows]
    assert len(ids) == len(set(ids))
