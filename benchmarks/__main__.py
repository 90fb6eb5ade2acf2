"""``python -m benchmarks [--only net,mesh.64] [--pairs 5] [--quick]``.

With ``STRICT=1`` in the environment a goal that is missed, or a row that is void, makes it fail.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import machine, report, runner
from benchmarks.build import build
from benchmarks.experiment import Experiment, Rounds
from benchmarks.rows import EXPERIMENTS
from benchmarks.runner import Result
from benchmarks.servers import Servers
from benchmarks.stats import Verdict

_RESULTS = Path(__file__).resolve().parent / "results"

_EXTRA_PAIRS = 3
"""Further rounds on a noisy machine: with eight, an interval leaves out the two extremes."""


def _matches(row_id: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(row_id == prefix or row_id.startswith(f"{prefix}.") for prefix in wanted)


def select(experiments: Sequence[Experiment], wanted: Sequence[str]) -> list[Experiment]:
    """The experiments with the rows whose ids begin with one of the wanted words; all when none is wanted.

    Raises:
        SystemExit: a word names no row.
    """
    ids = [row.id for experiment in experiments for row in experiment.rows]
    for word in wanted:
        if not any(_matches(row_id, [word]) for row_id in ids):
            sys.exit(f"no row begins with '{word}'; the rows are {', '.join(ids)}")
    chosen = []
    for experiment in experiments:
        rows = tuple(row for row in experiment.rows if _matches(row.id, wanted))
        if rows:
            chosen.append(dataclasses.replace(experiment, rows=rows))
    return chosen


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against other servers.")
    parser.add_argument(
        "--only", default="", help="rows to run, by the words their ids begin with: net,mesh.64"
    )
    parser.add_argument("--pairs", type=int, default=None, help="interleaved runs of each arm (default 5)")
    parser.add_argument("--quick", action="store_true", help="3 runs of one second: a first look, no proof")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Runs the rows, prints the table, saves the results."""
    arguments = _arguments(argv)
    strict = os.environ.get("STRICT", "") not in ("", "0")
    pairs = arguments.pairs or (3 if arguments.quick else 5)
    chosen = select(EXPERIMENTS, [word for word in arguments.only.split(",") if word])
    console = Console(width=None if sys.stdout.isatty() else 200)
    about: dict[str, object] = {"revision": machine.revision(), "machine": machine.describe(), "pairs": pairs}
    started = time.monotonic()
    with console.status("building the load generator and the reference servers"):
        build()

    results: list[Result] = []
    rounds: dict[str, Rounds] = {}
    failures: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="skysail-bench-") as work,
        Servers(Path(work), seconds=1.0 if arguments.quick else 2.0) as servers,
    ):
        for experiment in chosen:
            name = ", ".join(row.id for row in experiment.rows)
            console.print(f"[dim]{time.monotonic() - started:5.0f} s[/] {name}", highlight=False)
            try:
                taken, rows = runner.run(
                    experiment,
                    experiment.arms(servers),
                    pairs=pairs,
                    most_pairs=pairs if arguments.quick else pairs + _EXTRA_PAIRS,
                )
            except (RuntimeError, OSError) as error:
                failures.append(f"{name}: {error}")
                continue
            rounds[name] = taken
            results += rows
    about["seconds"] = round(time.monotonic() - started)
    about["failures"] = failures

    console.print(report.table(results))
    path = _RESULTS / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}-{about['revision']}.json"
    report.save(path, results, rounds, about=about)
    console.print(f"saved in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    for failure in failures:
        console.print(f"[red]not measured[/] {failure}", highlight=False)
    bad = [r for r in results if r.verdict in (Verdict.MISSED, Verdict.VOID)]
    return 1 if failures or (strict and bad) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
