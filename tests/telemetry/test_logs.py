"""What a process logs: for people, for programs, and not without end."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from skysail.control.errors import InvalidArgument
from skysail.telemetry.logs import MOST_MESSAGES, MOST_REPEATS, Repeats, configure, trace_of

log = logging.getLogger("skysail.tests")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    root.setLevel(level)


def test_json_is_an_object_a_line_whatever_the_message_holds() -> None:
    stream = io.StringIO()
    configure("json", "info", stream)
    log.info('two\nlines and a "quote" of %s', "käse", extra={"trace_id": "ab" * 16})
    try:
        raise ValueError("broken\nhere")
    except ValueError:
        log.exception("it failed")
    log.debug("not told")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["message"] == 'two\nlines and a "quote" of käse'
    assert (first["level"], first["logger"], first["trace_id"]) == ("info", "skysail.tests", "ab" * 16)
    assert first["time"].endswith("+00:00") and first["pid"] > 0 and "exception" not in first
    assert "ValueError: broken" in second["exception"] and second["level"] == "error"
    assert "trace_id" not in second


def test_people_read_lines_with_the_trace_where_there_is_one() -> None:
    stream = io.StringIO()
    configure("human", "warning", stream)
    log.warning("slow", extra={"trace_id": "cd" * 16})
    log.info("not told")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(f"WARNING skysail.tests: slow [trace {'cd' * 16}]")


@pytest.mark.parametrize(
    "header",
    ["", "garbage", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'AB' * 16}-{'1' * 16}-01", f"00-{'ab' * 16}-1-01"],
)
def test_a_record_belongs_to_the_trace_that_a_sound_header_names(header: str) -> None:
    assert trace_of(header) == {}
    assert trace_of(f"00-{'ab' * 16}-{'1' * 16}-01") == {"trace_id": "ab" * 16}


@pytest.mark.parametrize(
    ("log_format", "log_level", "words"),
    [("xml", "info", "--log-format: must be one of human, json"), ("json", "loud", "--log-level")],
)
def test_other_formats_and_levels_are_refused(log_format: str, log_level: str, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        configure(log_format, log_level)


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("skysail", logging.ERROR, "x.py", 1, message, arguments, None)


def test_repeats_are_bounded_and_what_was_left_out_is_said() -> None:
    now_s = 100.0
    repeats = Repeats(lambda: now_s)
    assert [repeats.filter(record("call %d failed", i)) for i in range(15)] == [True] * 10 + [False] * 5
    assert repeats.filter(record("something else"))
    now_s += 11
    after = record("call %d failed", 99)
    assert repeats.filter(after)
    assert after.getMessage() == "call 99 failed (5 more like it were left out)"
    again = record("call %d failed", 100)
    assert repeats.filter(again) and again.getMessage() == "call 100 failed"


def test_messages_that_never_repeat_take_no_memory_without_end() -> None:
    repeats = Repeats(lambda: 0.0)
    assert all(repeats.filter(record(f"message {i}")) for i in range(3 * MOST_MESSAGES))
    assert len(repeats._told) <= MOST_MESSAGES
    assert MOST_REPEATS < MOST_MESSAGES
