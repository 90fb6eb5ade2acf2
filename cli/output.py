"""What every command prints alike."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

__all__ = ["JsonOption", "note", "print_json"]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, indent=None if not sys.stdout.isatty() else 2, ensure_ascii=False))


def note(text: str) -> None:
    """Progress, on standard error, so that standard output holds the result alone."""
    print(text, file=sys.stderr, flush=True)
