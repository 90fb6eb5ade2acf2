"""What a canary must meet to go on, such as `p99_ms<20` or `error_rate<=baseline+0.5%`. Pure functions.

    METRIC < LIMIT        the canary's metric is at most that
    METRIC <= LIMIT       the same: measured values are never told apart so finely

A limit is a number, a number with %, or the baseline's metric over the same time: `baseline`,
`baseline+0.5%`, `baseline*1.2`. Each gate is put as a share of calls – those that failed; those that were
slower than the limit, which for p99 may be 1% – and is broken when that share is surely too high, at whatever
time one looks (see `confidence`). It is met when what was measured is not too high. In between it is open.

Calls that a model answers as one batch end together, and are no independent trials: counts are divided by the
mean number of calls of a batch.
"""

import re
from dataclasses import dataclass
from typing import Literal

from skysail.control.confidence import bounds, surest_tail
from skysail.control.errors import InvalidArgument
from skysail.control.tally import Tally

__all__ = ["METRICS", "Gate", "Verdict", "judge", "parse"]

#: The metrics, and of a latency the share of calls that may be slower.
METRICS: dict[str, float] = {"error_rate": 0.0, "p50_ms": 0.5, "p90_ms": 0.1, "p99_ms": 0.01}

_GATE = re.compile(r"\s*([a-z0-9_]*)\s*(<=|<)\s*(.+?)\s*")
_NUMBER = r"([0-9]+(?:\.[0-9]+)?)(%?)"
_LIMIT = re.compile(rf"{_NUMBER}|baseline(?:\s*([+*])\s*{_NUMBER})?")

Word = Literal["met", "open", "broken"]


@dataclass(frozen=True, slots=True)
class Gate:
    """The metric must be at most `factor` times the baseline's, and `offset` more.

    Attributes:
        text: as it was written.
        metric: one of `METRICS`.
        factor: 0: the baseline does not matter.
        offset: a share, or milliseconds.
    """

    text: str
    metric: str
    factor: float
    offset: float

    @property
    def relative(self) -> bool:
        """Whether it compares with the baseline."""
        return self.factor > 0

    def limit(self, baseline: float) -> float:
        """The limit where the baseline's metric is that."""
        return self.factor * baseline + self.offset


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a gate, in one word and in many."""

    word: Word
    text: str


def parse(text: str) -> Gate:
    """The gate that a text states.

    Raises:
        InvalidArgument: it names no metric, or its limit is none.
    """
    found = _GATE.fullmatch(text)
    if found is None:
        raise InvalidArgument(
            f"gate {text!r}: write METRIC<LIMIT, such as p99_ms<20 or error_rate<=baseline+0.5%"
        )
    metric, _, stated = found.groups()
    if metric not in METRICS:
        raise InvalidArgument(f"gate {text!r}: {metric!r} is no metric; there are {', '.join(METRICS)}")
    limit = _LIMIT.fullmatch(stated)
    if limit is None:
        raise InvalidArgument(
            f"gate {text!r}: the limit must be a number, baseline, baseline+NUMBER or baseline*NUMBER, "
            f"got {stated!r}"
        )
    number, percent, sign, more, more_percent = limit.groups()
    share = metric == "error_rate"
    if (percent or (more_percent and sign == "+")) and not share:
        raise InvalidArgument(f"gate {text!r}: {metric} is in milliseconds, not in %")
    if number is not None:
        gate = Gate(text, metric, 0.0, _value(number, percent))
    elif sign == "*":
        gate = Gate(text, metric, _value(more, more_percent), 0.0)
    else:
        gate = Gate(text, metric, 1.0, _value(more, more_percent) if more else 0.0)
    if share and gate.offset >= 1:
        raise InvalidArgument(f"gate {text!r}: an error rate is a share: the limit must be below 1 (100%)")
    if gate.factor == gate.offset == 0 and not share:
        raise InvalidArgument(f"gate {text!r}: no call takes no time: the limit must be above 0")
    return gate


def judge(gate: Gate, canary: Tally, baseline: Tally, *, alpha: float) -> Verdict:
    """What the calls of both say of the gate.

    Args:
        gate: what must hold.
        canary: what was counted of the new version.
        baseline: what was counted of the other one over the same time.
        alpha: the probability that a canary that meets the gate is ever called broken, however often and
            whenever it is judged while `canary` and `baseline` grow.
    """
    if gate.metric == "error_rate":
        return _judge_errors(gate, canary, baseline, alpha)
    return _judge_latency(gate, canary, baseline, alpha)


def _judge_errors(gate: Gate, canary: Tally, baseline: Tally, alpha: float) -> Verdict:
    rate, other = canary.error_rate, baseline.error_rate
    text = f"{rate:.2%} of {canary.calls} calls failed"
    highest = 0.0
    if gate.relative:
        text += f", of the baseline {other:.2%} of {baseline.calls}"
        alpha /= 2
        highest = bounds(*baseline.failures, alpha=alpha)[1]
    if bounds(*canary.failures, alpha=alpha)[0] > gate.limit(highest):
        return Verdict("broken", text)
    return Verdict("met" if rate <= gate.limit(other) else "open", text)


def _judge_latency(gate: Gate, canary: Tally, baseline: Tally, alpha: float) -> Verdict:
    tail = METRICS[gate.metric]
    seen, other = canary.quantile_ms(1 - tail), baseline.quantile_ms(1 - tail)
    text = f"{gate.metric} is {seen:.3g} over {canary.timed} calls"
    limit: float | None = gate.offset
    if gate.relative:
        text += f", of the baseline {other:.3g} over {baseline.timed}"
        alpha /= 2
        highest = _highest_quantile_ms(baseline, tail, alpha)
        limit = None if highest is None else gate.limit(highest)
    if limit is not None and bounds(*canary.slower_than(limit), alpha=alpha)[0] > tail:
        return Verdict("broken", text)
    return Verdict("met" if seen <= gate.limit(other) else "open", text)


def _highest_quantile_ms(tally: Tally, tail: float, alpha: float) -> float | None:
    """What the latency that a share `tail` of calls exceeds surely is below; None: nothing is sure yet."""
    trials = int(tally.timed * tally.weight)
    hits = surest_tail(trials, tail, alpha=alpha) if trials else None
    return None if hits is None else tally.quantile_ms(1 - hits / trials)


def _value(number: str, percent: str | None) -> float:
    return float(number) / (100 if percent else 1)
