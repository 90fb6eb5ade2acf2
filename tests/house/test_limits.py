"""docs/operating.md against the limits that there are."""

from __future__ import annotations

import re
from pathlib import Path

from skysail.native._core import Loops, Server, channel_stats, server_limits


def test_every_limit_is_documented_with_its_default_and_range(root: Path) -> None:
    text = (root / "docs/operating.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+)(?: \(never\))? to (\d+) \|", text, flags=re.M)
    told = {name: tuple(map(int, numbers)) for name, *numbers in rows}
    assert told == {name: (default, low, high) for name, default, low, high, _ in server_limits()}


def test_every_reason_is_documented(root: Path) -> None:
    text = (root / "docs/operating.md").read_text()
    told = Server(Loops(1)).stats()
    assert channel_stats().keys() == {"cut_off", "calls_over_limit"}
    for reason in [*told["cut_off"], *told["calls_over_limit"]]:
        assert re.search(rf"^\| `{reason}` \|", text, flags=re.M), f"{reason} is not explained"
