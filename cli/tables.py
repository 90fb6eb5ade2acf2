"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

__all__ = ["table"]


def table(title: str, rows: Sequence[dict[str, Any]], **columns: str) -> Table:
    """One line for each row.

    Args:
        title: above it.
        rows: what to show.
        columns: the heading of each column, and what it shows of a row.
    """
    made = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading, name in columns.items():
        numeric = all(isinstance(row[name], int | float | None) for row in rows)
        made.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(row[name]) for name in columns.values()))
    return made


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
