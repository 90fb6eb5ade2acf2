"""The table that people read and the JSON that is kept."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.table import Table

from benchmarks.experiment import Rounds
from benchmarks.runner import Result
from benchmarks.stats import Estimate, Verdict

_COLOURS = {
    Verdict.MET: "green",
    Verdict.MISSED: "red",
    Verdict.VOID: "yellow",
    Verdict.INFORMATIVE: "dim",
}


def table(results: Sequence[Result]) -> Table:
    """One line a row; CPU is in CPU seconds of the server's process tree for 1,000 calls."""
    made = Table(title="Ratios of interleaved runs: median, interval", title_justify="left")
    for name in ("row", "subject", "baseline", "metric"):
        made.add_column(name)
    for name in ("subject", "CPU s/1k", "baseline", "CPU s/1k", "ratio", "A/A", "goal"):
        made.add_column(name, justify="right")
    made.add_column("verdict")
    for result in results:
        row = result.row
        made.add_row(
            row.id,
            " | ".join(row.subject),
            " | ".join(row.baseline) or "limit",
            row.metric,
            _number(result.subject),
            _number(result.subject_cpu_ms),
            _number(result.baseline),
            _number(result.baseline_cpu_ms),
            _interval(result.ratio),
            "" if result.aa is None else f"±{50 * result.aa.width:.1f}%",
            str(row.goal) if row.goal is not None else "",
            f"[{_COLOURS[result.verdict]}]{result.verdict}[/]" + ("".join(f"\n{f}" for f in result.faults)),
        )
    return made


def save(
    path: Path,
    results: Sequence[Result],
    rounds: Mapping[str, Rounds],
    *,
    about: Mapping[str, object],
) -> None:
    """Writes every row and every single sample."""
    document = {
        "about": about,
        "rows": [_row(result) for result in results],
        "samples": {name: dataclasses.asdict(taken) for name, taken in rounds.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_finite(document), indent=1) + "\n")


def _row(result: Result) -> dict[str, object]:
    row = result.row
    return {
        "id": row.id,
        "subject": list(row.subject),
        "baseline": list(row.baseline),
        "metric": row.metric,
        "limit": row.limit,
        "subject_value": result.subject,
        "baseline_value": result.baseline,
        "subject_cpu_s_per_1000_calls": result.subject_cpu_ms,
        "baseline_cpu_s_per_1000_calls": result.baseline_cpu_ms,
        "ratio": result.ratio.median,
        "interval": [result.ratio.low, result.ratio.high],
        "aa_interval": None if result.aa is None else [result.aa.low, result.aa.high],
        "goal": None if row.goal is None else str(row.goal),
        "verdict": str(result.verdict),
        "faults": list(result.faults),
    }


def _finite(value: object) -> object:
    """JSON has neither infinity nor NaN: both become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _interval(estimate: Estimate) -> str:
    return f"{estimate.median:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
