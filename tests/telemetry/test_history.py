"""What a process remembers of its counters, on a clock that is stepped."""

from __future__ import annotations

from typing import Any

import pytest

from skysail.control.errors import InvalidArgument
from skysail.native import Histogram
from skysail.proto import admin_pb2
from skysail.telemetry import history
from skysail.telemetry.history import History
from skysail.telemetry.window import Window, decode, encode, join

REQUESTS = "skysail_frontend_requests"
IN_FLIGHT = "skysail_frontend_in_flight"
LATENCY = "skysail_frontend_request_duration_seconds"


class Process:
    """Counters that grow, and a history of them."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.ok = 0
        self.latency = Histogram()
        self.history = History(lambda: self.now_s)

    def stats(self) -> dict[str, Any]:
        one = {"ended": {"ok": self.ok}, "in_flight": self.ok % 7, "latency_s": self.latency.snapshot()}
        return {"frontend": {"applications": {"shop": one}}}

    def pass_s(self, seconds: float, *, calls_per_s: int = 1, took_ns: int = 1000) -> None:
        """Time passes with a look every ten seconds."""
        for _ in range(round(seconds / 10)):
            self.now_s += 10
            for _ in range(10 * calls_per_s):
                self.ok += 1
                self.latency.record(took_ns)
            self.history.look(self.stats())

    def window(self, from_s: float, to_s: float = 0.0) -> Window:
        return self.history.window(self.stats(), from_s=from_s, to_s=to_s)[2]


def test_a_window_holds_what_was_counted_in_it_alone() -> None:
    process = Process()
    process.pass_s(100, calls_per_s=1, took_ns=1000)
    process.pass_s(60, calls_per_s=3, took_ns=9000)
    latest, before = process.window(60), process.window(160, 60)
    assert (latest.seconds, latest.total(REQUESTS), latest.rate(REQUESTS, code="ok")) == (60, 180, 3)
    assert (before.seconds, before.total(REQUESTS)) == (100, 100)
    assert latest.distribution(LATENCY, application="shop").mean == 9000
    assert before.distribution(LATENCY).quantile(0.99) < 1100
    assert latest.total(IN_FLIGHT) == process.ok % 7
    assert latest.distinct(REQUESTS, "application") == ["shop"]
    assert latest.total(REQUESTS, application="other") == 0


def test_what_is_older_than_the_process_begins_with_it() -> None:
    process = Process()
    process.pass_s(30)
    began_s, ended_s, window = process.history.window(process.stats(), from_s=3600)
    assert (began_s, ended_s, window.total(REQUESTS)) == (30, 0, 30)


def test_an_hour_is_remembered_by_the_minute_and_no_more() -> None:
    process = Process()
    process.pass_s(3 * 3600)
    assert len(process.history._looks) <= 18 + 61 + 2
    for ago_s in (120.0, 900.0, 3600.0):
        began_s, _, window = process.history.window(process.stats(), from_s=ago_s)
        assert ago_s <= began_s <= ago_s + 60
        assert window.total(REQUESTS) == began_s


def test_what_came_back_counts_from_zero() -> None:
    process = Process()
    process.pass_s(100)
    process.ok, process.latency = 0, Histogram()
    process.pass_s(20)
    window = process.window(60)
    assert (window.total(REQUESTS), window.distribution(LATENCY).count) == (20, 20)


def test_looks_without_a_change_share_their_memory() -> None:
    process = Process()
    process.pass_s(10)
    for _ in range(2):
        process.now_s += 10
        process.history.look(process.stats())
    one, two, three = (look.distributions for look in process.history._looks)
    assert len(one) == 1
    assert all(one[key] is two[key] is three[key] for key in one)


@pytest.mark.parametrize(("from_s", "to_s"), [(0, 0), (5, 5), (5, 9), (5, -1), (float("nan"), 0)])
def test_a_window_that_does_not_end_after_it_begins_is_refused(from_s: float, to_s: float) -> None:
    with pytest.raises(InvalidArgument, match="must begin before it ends"):
        Process().window(from_s, to_s)


def test_windows_travel_and_add_up() -> None:
    process = Process()
    process.pass_s(50)
    window = process.window(50)
    again = decode(window.seconds, list(encode(window)))
    assert again.values == window.values
    assert again.distribution(LATENCY).buckets == window.distribution(LATENCY).buckets
    both = join([window, again])
    assert (both.seconds, both.total(REQUESTS), both.distribution(LATENCY).count) == (50, 100, 100)


def test_series_of_other_releases_are_passed_over() -> None:
    strange = [
        admin_pb2.Series(metric="skysail_of_tomorrow", labels=["x"], value=1),
        admin_pb2.Series(metric=REQUESTS, labels=["a", "b", "c"], value=1),
    ]
    assert decode(1.0, strange) == Window(1.0)


def test_one_model_s_series_can_be_asked_for_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others there are: those do not count against the bound."""
    monkeypatch.setattr(history, "MOST_SERIES", 3)
    versions = {"1": {"ended": {"ok": 5}}, "2": {"ended": {"ok": 7}}}
    stats = {"batcher": {"models": {name: versions for name in "abcdefgh"}}, "build": {"batcher": {"1.0": 1}}}
    _, _, window = History().window(stats, from_s=1e12, model="h")
    assert window.total("skysail_batcher_requests", model="h", version="2") == 7
    assert window.total("skysail_batcher_requests", model="a") == 0
    assert window.distinct("skysail_batcher_requests", "model") == ["h"]
