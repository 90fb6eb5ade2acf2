"""Runs an experiment's arms by turns and turns the rounds into rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import stats
from benchmarks.experiment import LOWER_IS_BETTER, Experiment, Rounds, Row, Sample
from benchmarks.stats import Estimate, Verdict

Arms = Mapping[str, Callable[[], Sample]]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row with what came out of it.

    Attributes:
        row: what was compared.
        subject: median of the subject's metric; likewise ``baseline``.
        subject_cpu_ms: CPU seconds of its process tree for 1,000 calls; NaN where none was taken.
        ratio: subject over baseline.
        aa: baseline over itself; None for absolute limits.
        faults: what made the row void, other than noise.
    """

    row: Row
    subject: float
    baseline: float
    subject_cpu_ms: float
    baseline_cpu_ms: float
    ratio: Estimate
    aa: Estimate | None
    faults: tuple[str, ...]
    verdict: Verdict


def run(experiment: Experiment, arms: Arms, *, pairs: int, most_pairs: int) -> tuple[Rounds, list[Result]]:
    """At least ``pairs`` rounds, and more, up to ``most_pairs``, while the control disagrees with itself.

    Whether a further round is run depends on the control arm alone, never on how the subject does.
    """
    arms = needed(experiment, arms)
    rounds = Rounds()
    results: list[Result] = []
    while (done := len(rounds.again)) < most_pairs:
        _round(experiment, arms, rounds, turn=done)
        if done + 1 < pairs:
            continue
        results = [evaluate(row, experiment, rounds) for row in experiment.rows]
        if not any(result.aa is not None and stats.too_noisy(result.aa) for result in results):
            break
    return rounds, results


def needed(experiment: Experiment, arms: Arms) -> Arms:
    """The arms that the experiment's rows speak of, and the control."""
    named = {name for row in experiment.rows for name in (*row.subject, *row.baseline)}
    return {name: arm for name, arm in arms.items() if name in named or name == experiment.control}


def _round(experiment: Experiment, arms: Arms, rounds: Rounds, *, turn: int) -> None:
    """Runs every arm once and the control twice, in an order that turns from round to round."""
    names = list(arms)
    if experiment.control is not None:
        names.insert((names.index(experiment.control) + 1 + len(names) // 2) % (len(names) + 1), "")
    shift = turn % len(names)
    ordered = names[shift:] + names[:shift]
    for name in ordered if turn % 2 == 0 else reversed(ordered):
        if name:
            rounds.samples.setdefault(name, []).append(arms[name]())
        elif experiment.control is not None:
            rounds.again.append(arms[experiment.control]())
    if experiment.control is None:
        rounds.again.append(Sample(metrics={}))


def evaluate(row: Row, experiment: Experiment, rounds: Rounds) -> Result:
    """The row's ratio, interval, A/A comparison and verdict."""
    count = len(rounds.again)
    base_metric = row.baseline_metric or row.metric
    subject = _best(row.subject, row.metric, rounds)
    baseline = _best(row.baseline, base_metric, rounds) if row.baseline else [row.limit or 1.0] * count
    aa = None
    # A fixed limit is compared with nothing that could differ from itself.
    if experiment.control is not None and row.baseline:
        first = [s.metrics[base_metric] for s in rounds.samples[experiment.control]]
        second = [s.metrics[base_metric] for s in rounds.again]
        aa = stats.estimate(stats.ratios(first, second))
    faults = _faults((*row.subject, *row.baseline), rounds)
    ratio = stats.estimate(stats.ratios(subject, baseline))
    return Result(
        row=row,
        subject=stats.estimate(subject).median,
        baseline=stats.estimate(baseline).median,
        subject_cpu_ms=_median_cpu(row.subject, rounds),
        baseline_cpu_ms=_median_cpu(row.baseline, rounds),
        ratio=ratio,
        aa=aa,
        faults=faults,
        verdict=stats.judge(ratio=ratio, goal=row.goal, aa=aa, faults=faults),
    )


def _best(names: Sequence[str], metric: str, rounds: Rounds) -> list[float]:
    """The best of the arms, round by round."""
    best: Callable[..., float] = min if LOWER_IS_BETTER[metric] else max
    columns = [[sample.metrics[metric] for sample in rounds.samples[name]] for name in names]
    return [best(values) for values in zip(*columns, strict=True)]


def _median_cpu(names: Sequence[str], rounds: Rounds) -> float:
    if not names or any("cpu_ms" not in s.metrics for name in names for s in rounds.samples[name]):
        return float("nan")
    return stats.estimate(_best(names, "cpu_ms", rounds)).median


def _faults(names: Sequence[str], rounds: Rounds) -> tuple[str, ...]:
    found = []
    for name in dict.fromkeys(names):
        for sample in rounds.samples[name]:
            found += [f"{name}: {fault}" for fault in sample.faults]
    return tuple(dict.fromkeys(found))
