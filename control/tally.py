"""What was counted of one version's calls while a rollout held a step."""

from __future__ import annotations

from typing import Annotated

from skysail.control.fields import between
from skysail.control.schema import Document
from skysail.native._core import HistogramSnapshot

__all__ = ["Tally"]

_NS_PER_MS = 1e6
Count = Annotated[int, between(0, 2**62)]


class Tally(Document):
    """Counts that only grow; those of two spans of time can be added."""

    #: Calls that say something of the version: not those that the caller broke off, or asked wrongly.
    calls: Count = 0
    #: Of these, those that failed.
    errors: Count = 0
    #: How many independent trials they were: calls of one batch end together, others one by one.
    trials: Count = 0
    #: Calls by latency, in the buckets of a histogram of nanoseconds; answers from the cache are not timed.
    latency: dict[str, Count] = {}

    def __add__(self, other: Tally) -> Tally:
        latency = dict(self.latency)
        for bucket, count in other.latency.items():
            latency[bucket] = latency.get(bucket, 0) + count
        return Tally(
            calls=self.calls + other.calls,
            errors=self.errors + other.errors,
            trials=self.trials + other.trials,
            latency=latency,
        )

    def __sub__(self, earlier: Tally) -> Tally:
        latency = {
            bucket: count - earlier.latency.get(bucket, 0)
            for bucket, count in self.latency.items()
            if count > earlier.latency.get(bucket, 0)
        }
        # A version that was taken out of a batcher and came back counts from zero again.
        return Tally(
            calls=max(0, self.calls - earlier.calls),
            errors=max(0, self.errors - earlier.errors),
            trials=max(0, self.trials - earlier.trials),
            latency=latency,
        )

    @property
    def weight(self) -> float:
        """How many independent trials a call counts for."""
        return min(1.0, self.trials / self.calls) if self.calls else 1.0

    @property
    def error_rate(self) -> float:
        """The share of calls that failed; 0 when there were none."""
        return self.errors / self.calls if self.calls else 0.0

    @property
    def failures(self) -> tuple[float, float]:
        """Failures and calls, as independent trials."""
        return self.errors * self.weight, self.calls * self.weight

    @property
    def timed(self) -> int:
        """How many calls were timed."""
        return sum(self.latency.values())

    def quantile_ms(self, q: float) -> float:
        """The latency that a share `q` of calls does not exceed; 0 when none was timed."""
        return self._histogram().quantile(q) / _NS_PER_MS

    def slower_than(self, limit_ms: float) -> tuple[float, float]:
        """Calls that surely took longer, and all, as independent trials."""
        # A bucket in which the limit lies would count as slower: it ends at most 1/16 above it.
        (within,) = self._histogram().counts_up_to([round(limit_ms * (1 + 1 / 16) * _NS_PER_MS)])
        return (self.timed - within) * self.weight, self.timed * self.weight

    def _histogram(self) -> HistogramSnapshot:
        return HistogramSnapshot({int(bucket): count for bucket, count in self.latency.items()}, 0)
