"""From the counters of a process to Prometheus' metric families. Nothing is counted here."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from skysail.native._core import HistogramSnapshot
from skysail.telemetry.families import FAMILIES, NONE, Family

__all__ = ["MOST_SERIES", "Stats", "find", "render"]

#: The most label sets of a metric. Those that come first in order of their labels are told.
MOST_SERIES = 1000

_SECONDS = (
    50e-6,
    1e-4,
    2e-4,
    5e-4,
    1e-3,
    2e-3,
    5e-3,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

Stats = Mapping[str, Any]


def render(stats: Stats, accept: str) -> tuple[bytes, str]:
    """The metrics of a process as text, and the text's media type.

    Args:
        stats: its counters, nested as `FAMILIES` says.
        accept: the media types that the asker takes; OpenMetrics when it is among them.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(lambda: stats))
    ProcessCollector(registry=registry)
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Collector(Collector):
    def __init__(self, stats: Callable[[], Stats]) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        stats = dict(self._stats())
        left_out: dict[str, int] = {}
        for family in FAMILIES:
            found = sorted(find(family, {**stats, "left_out": left_out}), key=lambda one: one[0])
            if len(found) > MOST_SERIES:
                left_out[family.told_as] = len(found) - MOST_SERIES
            if found:
                yield _metric(family, found[:MOST_SERIES])


def find(family: Family, stats: Stats) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The label values and the value of every series of a metric."""
    for path in family.paths:
        for labels, value in _walk(path.split("."), stats, {}):
            yield tuple(labels.get(name, NONE) for name in family.labels), value


def _walk(path: list[str], value: Any, labels: dict[str, str]) -> Iterator[tuple[dict[str, str], Any]]:
    if not path:
        yield labels, value
    elif path[0].startswith("{"):
        for key, below in value.items():
            yield from _walk(path[1:], below, {**labels, path[0][1:-1]: key})
    elif path[0] in value:
        yield from _walk(path[1:], value[path[0]], labels)


def _metric(family: Family, found: Iterable[tuple[tuple[str, ...], Any]]) -> Metric:
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
        for labels, seen in found:
            buckets, total = _buckets(family, seen)
            histogram.add_metric(labels, buckets, total)
        return histogram
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = kind(family.name, family.text, labels=family.labels)
    for labels, value in found:
        metric.add_metric(labels, float(value))
    return metric


def _buckets(family: Family, seen: HistogramSnapshot) -> tuple[list[tuple[str, float]], float]:
    """The cumulative counts by upper bound, and the sum, in the unit of the metric's name."""
    in_seconds = family.name.endswith("_seconds")
    bounds, unit = (_SECONDS, 1e-9) if in_seconds else (_ROWS, 1.0)
    counts = seen.counts_up_to([round(bound / unit) for bound in bounds])
    told = [(f"{bound:.10g}", float(count)) for bound, count in zip(bounds, counts, strict=True)]
    return [*told, ("+Inf", float(seen.count))], seen.sum * unit
