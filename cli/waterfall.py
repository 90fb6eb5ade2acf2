"""A call as a waterfall: a line for each span, a bar for its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from skysail.cli.spans import Span, Trace

__all__ = ["draw"]

_BAR = 40
_COLOURS = {"queue": "yellow", "fill": "yellow", "staged": "yellow", "model": "green", "hop": "blue"}
#: The most of a batch's other members that are drawn.
_MOST_MATES = 16


def draw(trace: Trace, console: Console | None = None) -> None:
    """Prints the call, then each of its batches on the same scale of time."""
    console = console or Console()
    start = min(span["start_unix_ns"] for span in trace.spans)
    end = max(span["end_unix_ns"] for span in trace.spans)
    table = _table()
    for depth, span in _tree(trace.spans):
        _line(table, span, depth, start, end)
    console.print(f"trace {trace.trace_id}: {_ms(end - start)}", highlight=False)
    console.print(table)
    for batch, spans in trace.batches.items():
        table = _table()
        own = [span for span in spans if span["trace_id"] == batch]
        mates = [span for span in spans if span["trace_id"] != batch]
        for depth, span in _tree(own):
            _line(table, span, depth, start, end)
        for span in mates[:_MOST_MATES]:
            _line(table, span, 1, start, end, name=f"with {span['trace_id'][:8]}")
        console.print(f"\nbatch {batch}", highlight=False)
        console.print(table)
        if len(mates) > _MOST_MATES:
            console.print(f"  and {len(mates) - _MOST_MATES} more", highlight=False)


def _table() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    return table


def _tree(spans: Sequence[Span]) -> Iterator[tuple[int, Span]]:
    """Each span after its parent, children in order of time; those without a known parent are roots."""
    ids = {span["span_id"] for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        parent = span["parent_id"] if span["parent_id"] in ids else ""
        children.setdefault(parent, []).append(span)

    def walk(parent: str, depth: int) -> Iterator[tuple[int, Span]]:
        for span in children.pop(parent, []):
            yield depth, span
            yield from walk(span["span_id"], depth + 1)

    yield from walk("", 0)


def _line(table: Table, span: Span, depth: int, start: int, end: int, *, name: str = "") -> None:
    role = span.get("resource", {}).get("skysail.role", "")
    title = "  " * depth + (name or span["name"])
    colour = "red" if span["error"] else _COLOURS.get(span["name"], "white")
    table.add_row(
        f"{escape(title)} [dim]{escape(role) if span['name'] in ('request', 'serve', 'batch') else ''}[/]",
        f"[{colour}]{_bar(span, start, end)}[/]",
        _ms(span["end_unix_ns"] - span["start_unix_ns"]),
        escape(_about(span)),
    )


def _bar(span: Span, start: int, end: int) -> str:
    scale = _BAR / max(end - start, 1)
    first: int = min(max(round((span["start_unix_ns"] - start) * scale), 0), _BAR - 1)
    last: int = min(max(round((span["end_unix_ns"] - start) * scale), first + 1), _BAR)
    return " " * first + "━" * (last - first) + " " * (_BAR - last)


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f} ms"


def _about(span: Span) -> str:
    shown = (
        ("skysail.application", ""),
        ("skysail.model", ""),
        ("skysail.version", ""),
        ("skysail.replica", "replica "),
        ("skysail.batch.rows", "rows "),
        ("skysail.batch.limit", "limit "),
        ("skysail.queue.depth", "depth "),
        ("skysail.cache", "cache "),
        ("skysail.default.reason", "default: "),
        ("error.type", ""),
    )
    attributes = span["attributes"]
    return " ".join(f"{label}{attributes[key]}" for key, label in shown if key in attributes)
