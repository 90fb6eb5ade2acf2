"""What a process remembers of its own counters, so that it can be asked how it was a while ago.

Every ten seconds it looks at them. Of the last three minutes it keeps each look, of the hour before that one
a minute; of histograms the buckets that hold something, as bytes, which looks without a change share.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from skysail.control.errors import InvalidArgument
from skysail.native._core import HistogramSnapshot
from skysail.proto import admin_pb2
from skysail.telemetry.collector import Stats, find
from skysail.telemetry.families import FAMILIES
from skysail.telemetry.window import Key, Window, decode_distribution, encode_distribution

__all__ = ["History"]

LOOK_EVERY_S = 10.0
KEEP_ALL_S = 180.0
KEEP_S = 3660.0
_MINUTE_S = 60.0
#: The most series of a look, in order of their metrics.
MOST_SERIES = 4000
_LABELS = {family.name: family.labels for family in FAMILIES}


@dataclass(frozen=True)
class _Look:
    at_s: float
    counts: dict[Key, float]
    distributions: dict[Key, bytes]


class History:
    """An hour of one process. `look` is called by one thread at a time, the rest on any.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        # Replaced as a whole, never changed.
        self._looks: tuple[_Look, ...] = ()

    async def run(self, measure: Callable[[], Stats]) -> None:
        """Looks again and again, for ever; `measure` is called on a thread of its own."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await asyncio.to_thread(lambda: self.look(measure()))

    def look(self, stats: Stats) -> None:
        """Remembers the counters as they are now."""
        now_s = self._clock()
        counts, _, distributions = _read(stats)
        before = self._looks[-1].distributions if self._looks else {}
        packed: dict[Key, bytes] = {}
        for key, seen in distributions.items():
            data = _pack(seen)
            known = before.get(key)
            packed[key] = known if known == data else data
        self._looks = (*_thin(self._looks, now_s), _Look(now_s, counts, packed))

    def window(
        self, stats: Stats, *, from_s: float, to_s: float = 0.0, model: str = ""
    ) -> tuple[float, float, Window]:
        """What was counted from so many seconds ago to so many seconds ago.

        Args:
            stats: the counters as they are now.
            from_s: when it begins.
            to_s: when it ends; 0: now.
            model: only series of this model, of those metrics that tell models apart; empty: of all.

        Returns:
            When it did begin and end, in seconds ago, and what was counted.

        Raises:
            InvalidArgument: it does not end after it begins.
        """
        if not from_s > to_s >= 0:
            raise InvalidArgument(
                f"a window must begin before it ends: from_s must be above to_s, which must be 0 or more; "
                f"got {from_s:g} and {to_s:g}"
            )
        now_s = self._clock()
        begin = self._at(now_s - from_s)
        gauges: dict[Key, float] = {}
        if to_s > 0:
            end = self._at(now_s - to_s)
            counts = end.counts
            distributions = {key: _unpack(data) for key, data in end.distributions.items()}
        else:
            end = _Look(now_s, {}, {})
            counts, gauges, distributions = _read(stats, model)
        grown = {key: value - _before(begin.counts.get(key, 0.0), value) for key, value in counts.items()}
        window = Window(
            max(0.0, end.at_s - begin.at_s),
            {key: value for key, value in (grown | gauges).items() if _is_of(model, key)},
            {
                key: _since(begin.distributions.get(key), seen)
                for key, seen in distributions.items()
                if _is_of(model, key)
            },
        )
        return now_s - begin.at_s, now_s - end.at_s, window

    def _at(self, when_s: float) -> _Look:
        """The latest look that is not after that; nothing had been counted when the process began."""
        held = (look for look in reversed(self._looks) if look.at_s <= when_s)
        return next(held, _Look(self._began_s, {}, {}))


def _thin(looks: tuple[_Look, ...], now_s: float) -> list[_Look]:
    kept: list[_Look] = []
    for look in looks:
        age_s = now_s - look.at_s
        if age_s > KEEP_S:
            continue
        if age_s > KEEP_ALL_S and kept and look.at_s - kept[-1].at_s < _MINUTE_S:
            continue
        kept.append(look)
    return kept


def _is_of(model: str, key: Key) -> bool:
    labels = _LABELS[key[0]]
    return not model or "model" not in labels or key[1][labels.index("model")] == model


def _read(
    stats: Stats, model: str = ""
) -> tuple[dict[Key, float], dict[Key, float], dict[Key, HistogramSnapshot]]:
    """Counters, gauges and distributions; of one model, or of all."""
    found: dict[str, dict[Key, object]] = {"counter": {}, "gauge": {}, "histogram": {}}
    left = MOST_SERIES
    for family in FAMILIES:
        for labels, value in find(family, stats):
            if left > 0 and _is_of(model, (family.name, labels)):
                found[family.kind][family.name, labels] = value
                left -= 1
    counts, gauges = (
        {key: float(value) for key, value in found[kind].items() if isinstance(value, int | float)}
        for kind in ("counter", "gauge")
    )
    distributions = {
        key: value for key, value in found["histogram"].items() if isinstance(value, HistogramSnapshot)
    }
    return counts, gauges, distributions


def _before(earlier: float, later: float) -> float:
    # What was taken out of the configuration and came back counts from zero again.
    return earlier if earlier <= later else 0.0


def _since(earlier: bytes | None, later: HistogramSnapshot) -> HistogramSnapshot:
    if earlier is None:
        return later
    before = _unpack(earlier)
    return later - before if before.count <= later.count else later


def _pack(seen: HistogramSnapshot) -> bytes:
    return encode_distribution(seen).SerializeToString()


def _unpack(data: bytes) -> HistogramSnapshot:
    return decode_distribution(admin_pb2.Distribution.FromString(data))
