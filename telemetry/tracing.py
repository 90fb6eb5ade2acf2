"""The tracing of one process: its spans are collected, kept for a while, and sent away.

What happens to a collector (slow, dead, absent) stays on the thread that sends: calls never wait for it,
memory is that of `core.Spans`, and what could not be sent is counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any

from skysail.native import _core as core
from skysail.telemetry.span_exporters import ExportFailed, SpanExporter
from skysail.telemetry.tracing_settings import TracingSettings

__all__ = ["Tracing"]

log = logging.getLogger(__name__)

#: A loop's ring holds 8,192 spans: four times a second is often enough for 32,000 a second.
_COLLECT_EVERY_S = 0.25
_LONGEST_BACKOFF_S = 60.0


class Tracing:
    """Has the loops of a process record spans, from `start` to `stop`.

    Args:
        loops: the data plane's threads.
        settings: how much is kept, and where it is sent.
        role: what the process does.
        instance: its id.
    """

    def __init__(self, loops: core.Loops, settings: TracingSettings, *, role: str, instance: str) -> None:
        self._spans = (
            core.Spans(loops, spans_per_s=settings.spans_per_s) if settings.spans_per_s > 0 else None
        )
        self._exporter = settings.make_exporter(role=role, instance=instance) if self._spans else None
        self._every_s = settings.every_s
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._exported = self._failed = 0
        self._resource = settings.resource(role=role, instance=instance)

    def start(self) -> None:
        """Begins to collect, and to send where there is somewhere to send to."""
        if self._spans is None:
            return
        self._threads.append(threading.Thread(target=self._collect, args=(self._spans,), name="spans"))
        if self._exporter is not None:
            self._threads.append(
                threading.Thread(target=self._export, args=(self._spans, self._exporter), name="span export")
            )
        for thread in self._threads:
            thread.daemon = True  # one that waits for a collector must not keep the process
            thread.start()

    def stop(self) -> None:
        """Collects no more. What is under way to a collector is given up."""
        self._stopping.set()
        if self._exporter is not None:
            self._exporter.close()
        for thread in self._threads:
            thread.join(1.0)

    def find(self, traces: Sequence[str]) -> list[dict[str, Any]]:
        """The spans of these traces, and of batches linked to them; the latest calls where none is named."""
        if self._spans is None:
            return []
        self._spans.collect()
        found = self._spans.find(set(traces)) if traces else self._spans.requests()
        return [{**span, "resource": self._resource} for span in found]

    def counts(self) -> dict[str, Any]:
        """What was kept, sent and dropped so far: spans, and trace headers of callers."""
        headers = core.trace_faults()
        if self._spans is None:
            return {"headers_dropped": headers}
        counts = self._spans.counts()
        return {
            "headers_dropped": headers,
            "kept": counts["kept"],
            "exported": self._exported,
            "dropped": {**counts["dropped"], "export_failed": self._failed},
        }

    def _collect(self, spans: core.Spans) -> None:
        while not self._stopping.wait(_COLLECT_EVERY_S):
            spans.collect()

    def _export(self, spans: core.Spans, exporter: SpanExporter) -> None:
        pause_s = self._every_s
        while not self._stopping.wait(pause_s):
            try:
                while (count := exporter.export(spans)) and not self._stopping.is_set():
                    self._exported += count
                pause_s = self._every_s
            except ExportFailed as error:
                self._failed += error.spans
                if pause_s == self._every_s:
                    log.warning("spans are lost until the collector takes them again: %s", error)
                pause_s = min(max(2 * pause_s, 1.0), _LONGEST_BACKOFF_S)
