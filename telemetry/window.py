"""What was counted in some span of time: the series of one or many processes, to be asked by their labels.

In messages it is `skysail.v1.Series`; the names are those of `GET /metrics` without `_total`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, reduce

from skysail.native._core import HistogramSnapshot
from skysail.proto import admin_pb2
from skysail.telemetry.families import FAMILIES

__all__ = ["Key", "Window", "decode", "decode_distribution", "encode", "encode_distribution", "join"]

#: A metric and the values of its labels.
Key = tuple[str, tuple[str, ...]]

_LABELS = {family.name: family.labels for family in FAMILIES}


@dataclass(frozen=True)
class Window:
    """One span of time.

    Attributes:
        seconds: how long it is.
        values: by how much each counter grew, and what each gauge is at the end.
        distributions: what each histogram saw, in nanoseconds or rows.
    """

    seconds: float
    values: Mapping[Key, float] = field(default_factory=dict)
    distributions: Mapping[Key, HistogramSnapshot] = field(default_factory=dict)

    def total(self, metric: str, **labels: str) -> float:
        """The sum over the series that have those labels."""
        return sum(self.values[key] for key in self._matching(metric, labels))

    def rate(self, metric: str, **labels: str) -> float:
        """The growth of a counter per second."""
        return self.total(metric, **labels) / self.seconds if self.seconds > 0 else 0.0

    def highest(self, metric: str, **labels: str) -> float:
        """The largest among the series that have those labels; 0 when there are none."""
        return max((self.values[key] for key in self._matching(metric, labels)), default=0.0)

    def distribution(self, metric: str, **labels: str) -> HistogramSnapshot:
        """What the histograms that have those labels saw, all together."""
        found = (self.distributions[key] for key in self._matching(metric, labels))
        return sum(found, start=HistogramSnapshot())

    def distinct(self, metric: str, label: str, **labels: str) -> list[str]:
        """The values that a label has, in order."""
        at = _LABELS[metric].index(label)
        return sorted({key[1][at] for key in self._matching(metric, labels)})

    @cached_property
    def _by_metric(self) -> dict[str, list[Key]]:
        found: dict[str, list[Key]] = {}
        for key in (*self.values, *self.distributions):
            found.setdefault(key[0], []).append(key)
        return found

    def _matching(self, metric: str, labels: Mapping[str, str]) -> Iterator[Key]:
        names = _LABELS[metric]
        wanted = [(names.index(name), value) for name, value in labels.items()]
        for key in self._by_metric.get(metric, ()):
            if all(key[1][at] == value for at, value in wanted):
                yield key


def join(windows: Iterable[Window]) -> Window:
    """The windows of several processes as one; as long as the longest."""
    return reduce(_add, windows, Window(0.0))


def _add(one: Window, other: Window) -> Window:
    values, distributions = dict(one.values), dict(one.distributions)
    for key, value in other.values.items():
        values[key] = values.get(key, 0.0) + value
    for key, seen in other.distributions.items():
        distributions[key] = distributions[key] + seen if key in distributions else seen
    return Window(max(one.seconds, other.seconds), values, distributions)


def encode(window: Window) -> Iterator[admin_pb2.Series]:
    """As messages."""
    for (metric, labels), value in window.values.items():
        yield admin_pb2.Series(metric=metric, labels=labels, value=value)
    for (metric, labels), seen in window.distributions.items():
        yield admin_pb2.Series(metric=metric, labels=labels, distribution=encode_distribution(seen))


def decode(seconds: float, series: Iterable[admin_pb2.Series]) -> Window:
    """From messages; metrics of other releases are passed over."""
    values: dict[Key, float] = {}
    distributions: dict[Key, HistogramSnapshot] = {}
    for one in series:
        if len(_LABELS.get(one.metric, ())) != len(one.labels) or one.metric not in _LABELS:
            continue
        key = (one.metric, tuple(one.labels))
        if one.HasField("distribution"):
            distributions[key] = decode_distribution(one.distribution)
        else:
            values[key] = one.value
    return Window(seconds, values, distributions)


def encode_distribution(seen: HistogramSnapshot) -> admin_pb2.Distribution:
    """As a message."""
    buckets = seen.buckets
    return admin_pb2.Distribution(buckets=buckets.keys(), counts=buckets.values(), sum=seen.sum)


def decode_distribution(told: admin_pb2.Distribution) -> HistogramSnapshot:
    """From a message.

    Raises:
        ValueError: a bucket that there is not, or one without a count.
    """
    return HistogramSnapshot(dict(zip(told.buckets, told.counts, strict=True)), told.sum)
