from __future__ import annotations

import json
import math
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.experiment import Rounds, Row, Sample
from benchmarks.runner import Result
from benchmarks.stats import Estimate, Goal, Verdict

RESULT = Result(
    row=Row(id="x.rate", subject=("new",), baseline=("old",), metric="rate", goal=Goal(factor=3)),
    subject=90_000.0,
    baseline=30_000.0,
    subject_cpu_ms=0.0125,
    baseline_cpu_ms=math.nan,
    ratio=Estimate(median=3.25, low=3.1, high=math.inf),
    aa=Estimate(median=1.0, low=0.98, high=1.02),
    faults=("new: 3 of 9 checked answers were wrong",),
    verdict=Verdict.VOID,
)


def test_table_shows_ratio_interval_goal_and_why_a_row_is_void() -> None:
    console = Console(width=250)
    with console.capture() as captured:
        console.print(report.table([RESULT]))
    text = captured.get()
    for part in ("x.rate", "90,000", "0.0125", "3.25 [3.10, inf]", "±2.0%", "≥ 3", "void", "3 of 9 checked"):
        assert part in text


def test_saved_results_are_strict_json_with_every_sample(tmp_path: Path) -> None:
    sample = Sample(metrics={"rate": 90_000.0, "p99_us": math.inf})
    rounds = Rounds(samples={"new": [sample], "old": [sample]}, again=[sample])
    path = tmp_path / "results" / "r.json"
    report.save(path, [RESULT], {"x": rounds}, about={"pairs": 1})

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    saved = json.loads(path.read_text(), parse_constant=refuse)
    (row,) = saved["rows"]
    assert (row["id"], row["ratio"], row["interval"], row["goal"]) == ("x.rate", 3.25, [3.1, None], "≥ 3")
    assert row["verdict"] == "void"
    assert row["baseline_cpu_s_per_1000_calls"] is None
    assert saved["samples"]["x"]["again"][0]["metrics"] == {"rate": 90_000.0, "p99_us": None}
    assert saved["about"] == {"pairs": 1}
