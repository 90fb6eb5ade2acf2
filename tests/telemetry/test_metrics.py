"""The metrics of a process: their names, their bounds, and that they agree with the page about them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from skysail.native import _core as core
from skysail.telemetry.collector import MOST_SERIES, render
from skysail.telemetry.families import FAMILIES, NONE, replica_label
from skysail.telemetry.metrics_server import MetricsServer
from skysail.telemetry.targets import target

LABELS = {
    "application",
    "model",
    "version",
    "replica",
    "code",
    "reason",
    "priority",
    "to",
    "process",
    "stage",
}


def series(stats: dict[str, Any], name: str) -> dict[tuple[str, ...], float]:
    """The values of one metric by its labels' values, as Prometheus would read them."""
    text, _ = render(stats, "")
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name
    }


def applications(names: list[str]) -> dict[str, Any]:
    return {"frontend": {"applications": {name: {"in_flight": 1} for name in names}}}


def test_names_follow_one_scheme() -> None:
    for family in FAMILIES:
        assert re.fullmatch(r"skysail(_[a-z]+)+", family.told_as)
        assert not re.search(r"_(ms|us|ns|mib|total)\b", family.name)
        if family.kind == "histogram":
            assert family.name.endswith(("_seconds", "_rows"))
        if family.name not in ("skysail_build_info", "skysail_series_left_out"):
            assert set(family.labels) <= LABELS
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)


def test_the_page_lists_every_metric_as_it_is(root: Path) -> None:
    page = re.findall(r"^\| `(skysail_\w+)` \|.*$", (root / "docs/metrics.md").read_text(), flags=re.M)
    assert page == [family.told_as for family in FAMILIES]
    for family in FAMILIES:
        labels = ", ".join(f"`{name}`" for name in family.labels)
        row = f"| `{family.told_as}` | {family.kind} | {labels} | {family.text} |"
        assert row in (root / "docs/metrics.md").read_text().splitlines()


def test_every_counter_of_the_port_is_told() -> None:
    loops = core.Loops(1)
    paths = [path.split(".") for family in FAMILIES for path in family.paths]
    assert set(core.Server(loops).stats()) == {path[1] for path in paths if path[0] == "server"}


@pytest.mark.parametrize(
    "name", ['a"} 1\nskysail_evil{x="', "back\\slash", "new\nline", "tab\t", "käse", "#", "x" * 5000]
)
def test_a_name_cannot_become_another_series(name: str) -> None:
    stats = applications([name, "plain"])
    assert series(stats, "skysail_frontend_in_flight") == {(name,): 1.0, ("plain",): 1.0}
    text, _ = render(stats, "")
    samples = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    assert all(line.startswith(("skysail_frontend_in_flight{", "process_")) for line in samples)


def test_series_of_a_metric_are_bounded_and_the_rest_is_counted() -> None:
    stats = applications([f"app-{i:05}" for i in range(MOST_SERIES + 7)])
    told = series(stats, "skysail_frontend_in_flight")
    assert len(told) == MOST_SERIES
    assert (f"app-{MOST_SERIES:05}",) not in told
    assert series(stats, "skysail_series_left_out") == {("skysail_frontend_in_flight",): 7.0}


def test_a_distribution_is_told_in_seconds_with_its_exact_count_and_sum() -> None:
    histogram = core.Histogram()
    for nanoseconds in (40_000, 900_000, 900_000, 3_000_000_000, 45_000_000_000):
        histogram.record(nanoseconds)
    stats = {"frontend": {"applications": {"shop": {"latency_s": histogram.snapshot()}}}}
    name = "skysail_frontend_request_duration_seconds"
    buckets = {labels[-1]: value for labels, value in series(stats, name + "_bucket").items()}
    assert buckets["5e-05"] == 1
    assert buckets["0.0005"] == 1
    assert buckets["0.001"] == 3
    assert buckets["5"] == 4
    assert buckets["+Inf"] == 5
    assert series(stats, name + "_count") == {("shop",): 5.0}
    assert series(stats, name + "_sum")[("shop",)] == pytest.approx(48.00184)


def test_what_belongs_to_no_application_has_a_label_that_no_application_may_have() -> None:
    stats = {
        "frontend": {"applications": {"shop": {"ended": {"ok": 3}}}, "nameless": {"invalid_argument": 2}}
    }
    told = series(stats, "skysail_frontend_requests_total")
    assert told == {("shop", "ok"): 3.0, (NONE, "invalid_argument"): 2.0}


def test_the_successor_of_a_replica_counts_where_it_did() -> None:
    assert replica_label("2-1f00aa11") == replica_label("2-99ffee00") == "2"
    assert replica_label("own-12-1f00aa11") == replica_label("10.0.0.1:80") == "other"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = MetricsServer(lambda: applications(["shop"]))
    address = await server.start("127.0.0.1:0")
    yield int(address.rpartition(":")[2])
    await server.stop()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_the_port_tells_metrics_in_the_format_asked_for(port: int) -> None:
    answer = await ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain")
    assert b'skysail_frontend_in_flight{application="shop"} 1.0\n' in answer
    assert b"process_resident_memory_bytes" in answer
    openmetrics = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
    answer = await ask(port, openmetrics)
    assert b"application/openmetrics-text" in answer
    assert answer.endswith(b"# EOF\n")


async def test_the_port_tells_targets_where_they_are_known(port: int) -> None:
    assert b" 404 Not Found" in await ask(port, b"GET /targets HTTP/1.1\r\n\r\n")
    group = target("127.0.0.1:9", role="batcher", id="b")
    server = MetricsServer(lambda: {}, lambda: [group])
    address = await server.start("127.0.0.1:0")
    answer = await ask(int(address.rpartition(":")[2]), b"GET /targets HTTP/1.1\r\n\r\n")
    await server.stop()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 OK" in head and b"Content-Type: application/json" in head
    assert json.loads(body) == [group]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b""),
        (b"\xff" * 20_000, b""),
    ],
)
async def test_other_requests_are_refused_and_the_next_is_answered(
    port: int, request_: bytes, status: bytes
) -> None:
    try:
        answer = await ask(port, request_)
    except ConnectionError:
        answer = b""
    assert answer.partition(b" ")[2][:3] == status
    assert b" 200 OK" in await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")


async def test_idle_connections_are_bounded(port: int) -> None:
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
    await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(4):  # sooner than the patience with a silent one ends
        with pytest.raises(ConnectionError):
            if await reader.read() == b"":
                raise ConnectionResetError
    for _, one in [*held, (reader, writer)]:
        one.close()
