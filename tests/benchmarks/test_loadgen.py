from __future__ import annotations

import http.server
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bodies, load
from benchmarks.experiment import Sample

NEVER = 1_000_000_000

Loadgen = Callable[..., dict[str, Any]]
Start = Callable[..., str]


def test_right_answers_are_counted_and_none_is_wrong(loadgen: Loadgen, wrong_server: Start) -> None:
    report = loadgen(
        wrong_server("value", NEVER), "--connections", "2", "--streams", "4", "--check-every", "1"
    )
    assert report["ok"] > 100
    assert report["checked"] == report["all_ok"]
    assert (report["wrong"], report["failed"]) == (0, 0)
    latency = report["latency_us"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"]


@pytest.mark.parametrize("mode", ["value", "empty"])
def test_each_wrong_answer_is_found_when_all_are_checked(
    mode: str, loadgen: Loadgen, wrong_server: Start
) -> None:
    report = loadgen(wrong_server(mode, 10), "--check-every", "1", "--count", "1000", "--duration-s", "10")
    assert report["failed"] == 0
    assert report["wrong"] == report["checked"] // 10 > 0


def test_the_last_wrong_answer_is_timed_by_the_system_s_clock(loadgen: Loadgen, wrong_server: Start) -> None:
    before = time.time()
    wrong = loadgen(wrong_server("value", 10), "--check-every", "1", "--duration-s", "0.2")
    assert before < wrong["last_wrong_s"] < time.time()
    right = loadgen(wrong_server("value", NEVER), "--check-every", "1", "--duration-s", "0.2")
    assert right["last_wrong_s"] is None


def test_a_sample_finds_a_server_that_is_always_wrong(loadgen: Loadgen, wrong_server: Start) -> None:
    report = loadgen(wrong_server("value", 1), "--check-every", "16")
    assert report["wrong"] == report["checked"] == report["all_ok"] // 16 > 0


def test_a_status_is_a_failure_under_its_code_and_no_answer(loadgen: Loadgen, wrong_server: Start) -> None:
    report = loadgen(wrong_server("status", 4), "--streams", "8")
    assert set(report["errors"]) == {"grpc-14"}
    assert report["failed"] == pytest.approx((report["failed"] + report["all_ok"]) / 4, abs=2)
    assert report["refused_p99_us"] is None, "another status is no refusal"


def test_a_wrong_answer_makes_the_sample_faulty(
    programs: Path, body_file: bodies.BodyFile, wrong_server: Start
) -> None:
    what = load.Load(bodies=body_file.path, duration_s=0.3, warmup_s=0)
    assert Sample.of(load.run(wrong_server("value", NEVER), what, pids=[])).faults == ()
    (fault,) = Sample.of(load.run(wrong_server("value", 1), what, pids=[])).faults
    assert "checked answers were wrong" in fault
    (fault,) = Sample.of(load.run(wrong_server("status", 2), what, pids=[])).faults
    assert "grpc-14" in fault


def test_varied_bodies_are_distinct_and_keep_their_answers(
    loadgen: Loadgen, wrong_server: Start, body_file: bodies.BodyFile
) -> None:
    server = wrong_server("value", NEVER)
    right = loadgen(server, "--vary", str(body_file.raw_offset), "--check-every", "1")
    assert right["wrong"] == 0
    # The check itself sees the variation: written into other columns, it would overwrite what is summed.
    overwritten = loadgen(server, "--vary", str(body_file.raw_offset + 16), "--check-every", "1")
    assert overwritten["wrong"] > 0


def test_open_loop_arrives_at_the_asked_rate(loadgen: Loadgen, wrong_server: Start) -> None:
    report = loadgen(
        wrong_server("value", NEVER), "--rate", "1000", "--streams", "64", "--duration-s", "1", "--seed", "3"
    )
    assert report["failed"] == 0
    assert report["ok"] == pytest.approx(1000, abs=150)  # nearly five standard deviations of a Poisson count


def test_open_loop_latency_counts_from_the_intended_instant(loadgen: Loadgen, wrong_server: Start) -> None:
    # One call at a time of 5 ms cannot keep up with 400 a second: the queue, not the call, is what lasts.
    server = wrong_server("late", 1)
    closed = loadgen(server, "--duration-s", "0.5")
    assert 5_000 <= closed["latency_us"]["p50"] < 20_000
    opened = loadgen(server, "--rate", "400", "--streams", "1000", "--duration-s", "0.5", "--drain-s", "5")
    assert opened["failed"] == 0
    assert opened["latency_us"]["max"] > 5 * closed["latency_us"]["p50"]


def test_arrivals_beyond_the_bound_are_failed_unsent_and_never_answered(
    loadgen: Loadgen, wrong_server: Start
) -> None:
    report = loadgen(wrong_server("late", 1), "--rate", "2000", "--streams", "8", "--max-outstanding", "8")
    assert report["errors"]["unsent"] > report["ok"]
    assert report["latency_us"]["p99"] is None


def test_calls_that_are_not_answered_are_failures(loadgen: Loadgen, wrong_server: Start) -> None:
    # 64 calls of 5 ms, one after another, outlast the drain.
    report = loadgen(wrong_server("late", 1), "--streams", "256", "--duration-s", "0.1", "--drain-s", "0.1")
    assert report["errors"]["unanswered"] > 0


def test_zipf_prefers_the_first_bodies(loadgen: Loadgen, wrong_server: Start, tmp_path: Path) -> None:
    # Only the first body has a right expectation, so wrong answers count the draws of the others.
    rows, sums = bodies.trivial_rows(100)
    file = bodies.write_grpc(
        tmp_path / "b",
        model="m",
        tensor="x",
        rows=rows,
        answers=sums - np.arange(100, dtype=np.float32)[:, None],
    )
    server = wrong_server("value", NEVER)
    options = ("--check-every", "1", "--zipf", "1.0", "--first", "10")
    report = loadgen(server, *options, file=file.path)
    share = 1 - report["wrong"] / report["checked"]
    assert share == pytest.approx(1 / sum(1 / rank for rank in range(1, 11)), abs=0.05)


def test_bad_usage_and_a_missing_server_are_said(programs: Path, body_file: bodies.BodyFile) -> None:
    def said(*options: str) -> tuple[int, str]:
        done = subprocess.run([str(programs / "loadgen"), *options], capture_output=True, text=True)
        return done.returncode, done.stderr

    assert said("--rate", "fast") == (2, said("--rate", "fast")[1])
    assert "--rate wants a number" in said("--rate", "fast")[1]
    code, text = said("--target", "127.0.0.1:1", "--bodies", str(body_file.path))
    assert code == 2
    assert "cannot connect to 127.0.0.1:1" in text


@pytest.fixture
def rest_server() -> Iterator[str]:
    """Answers with the body's last four bytes, and every third time with 503."""
    calls = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal calls
            calls += 1
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(503 if calls % 3 == 0 else 200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"{}" + body[-4:])

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_rest_answers_and_statuses_are_checked(loadgen: Loadgen, rest_server: str, tmp_path: Path) -> None:
    path = tmp_path / "rest.bin"
    bodies.write(path, [(b"first:abcd", b"abcd"), (b"second:efgh", b"wrong")])
    report = loadgen(rest_server, "--protocol", "h1", "--path", "/x", "--check-every", "1", file=path)
    assert set(report["errors"]) == {"http-503"}
    assert report["failed"] == pytest.approx(report["all_ok"] / 2, abs=2)
    assert 0 < report["wrong"] < report["checked"]
