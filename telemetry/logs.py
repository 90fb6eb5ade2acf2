"""One set-up of logging for all processes: for people or as JSON, and bounded.

As JSON each line is an object: `time` (UTC), `level`, `logger`, `message`, `pid`; `trace_id` where the record
is about a request that belongs to a trace (`extra={"trace_id": ...}`); `exception` where there is one. A
message that repeats is told at most ten times in ten seconds; the next one after that says how many were left
out, so that a model that raises at every call fills no disk.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Literal, get_args

from skysail.control.errors import InvalidArgument

__all__ = ["LogFormat", "LogLevel", "Repeats", "check", "configure", "trace_of"]

LogFormat = Literal["human", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

#: So often is a message told in so much time.
MOST_REPEATS = 10
WITHIN_S = 10.0
#: So many different messages are told apart; beyond that counting begins anew.
MOST_MESSAGES = 1000


def check(log_format: str, log_level: str) -> None:
    """Checks both.

    Raises:
        InvalidArgument: naming the option and what is legal.
    """
    for option, value, legal in (
        ("log-format", log_format, get_args(LogFormat)),
        ("log-level", log_level, get_args(LogLevel)),
    ):
        if value not in legal:
            raise InvalidArgument(f"--{option}: must be one of {', '.join(legal)}, got {value!r}")


def configure(log_format: str, log_level: str, stream: IO[str] | None = None) -> None:
    """Sends what this process logs to `stream`, by default standard error; replaces what was set up before.

    Raises:
        InvalidArgument: no such format or level.
    """
    check(log_format, log_level)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if log_format == "json" else _Human())
    handler.addFilter(Repeats())
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)


def trace_of(traceparent: str) -> dict[str, str]:
    """What a record about a request is given as `extra`: its trace id, where the W3C header holds one."""
    found = re.fullmatch(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", traceparent)
    return {"trace_id": found[1]} if found and found[1].strip("0") else {}


class _Human(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        trace_id = getattr(record, "trace_id", "")
        return super().formatMessage(record) + (f" [trace {trace_id}]" if trace_id else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        if trace_id := getattr(record, "trace_id", ""):
            told["trace_id"] = trace_id
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


@dataclass
class _Told:
    since_s: float
    count: int = 0
    left_out: int = 0


class Repeats(logging.Filter):
    """Leaves out what repeats too often; messages are alike when they differ in their arguments alone.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[tuple[str, int, str], _Told] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is told."""
        now_s = self._clock()
        key = (record.name, record.levelno, str(record.msg))
        told = self._told.get(key)
        if told is None:
            if len(self._told) >= MOST_MESSAGES:
                self._told = {}
            told = self._told[key] = _Told(now_s)
        elif now_s - told.since_s >= WITHIN_S:
            if told.left_out:
                record.msg = f"{record.getMessage()} ({told.left_out} more like it were left out)"
                record.args = None
            told = self._told[key] = _Told(now_s)
        told.count += 1
        if told.count > MOST_REPEATS:
            told.left_out += 1
            return False
        return True
