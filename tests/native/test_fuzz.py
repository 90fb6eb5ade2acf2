"""A short run of every fuzz target, over its corpus and on; `make fuzz` runs them for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPORA = Path(__file__).parent / "corpora"
RUNS = 20_000
LIMIT_S = 600
MOST_CORPUS_BYTES = 200_000


def targets() -> list[str]:
    return sorted(path.stem.removesuffix("_fuzz") for path in ROOT.glob("native/fuzz/*_fuzz.cc"))


@pytest.mark.parametrize("target", targets())
def test_nothing_is_found_in_a_short_run(target: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "fuzz"), "--runs", str(RUNS), target],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        pytest.fail(done.stdout[-12000:], pytrace=False)


def test_every_target_has_a_small_corpus() -> None:
    assert sorted(path.name for path in CORPORA.iterdir()) == targets()
    for folder in CORPORA.iterdir():
        sizes = [path.stat().st_size for path in folder.iterdir()]
        assert 0 < sum(sizes) <= MOST_CORPUS_BYTES, folder.name
