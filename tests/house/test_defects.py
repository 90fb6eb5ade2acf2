"""docs/defects.md against the tests that it lists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

# About caches, batches, deadlines and default outputs; the other numbers are about what is not built yet.
ROWS = {f"D{number}" for number in (*range(1, 12), 13, 14, 16, 17, 18, 20)}


def table(root: Path) -> list[tuple[str, list[str]]]:
    """Each row's number and the tests that it lists, as path::name."""
    lines = re.findall(r"^\| (D\d+) \|(.*)\|$", (root / "docs/defects.md").read_text(), flags=re.M)
    return [(number, re.findall(r"`([\w/.]+::[\w.]+)`", cells.split("|")[-1])) for number, cells in lines]


def told_of(text: str, name: str) -> str:
    """A test's name and its docstring, or the comment before it; "" when there is no such test."""
    suite, _, case = name.rpartition(".")
    if suite:
        begins = rf"TEST(?:_F|_P)?\({suite}, {case}\)"
        found = re.search(rf"(?P<said>(?:^//.*\n)*)^{begins}", text, flags=re.M)
    elif name.startswith("test_"):
        begins = rf"^(?:async )?def {name}\([^\"]*?\) -> None:\n"
        found = re.search(rf'{begins}    (?P<said>""".*?""")?', text, flags=re.M | re.S)
    else:
        found = re.search(rf"(?P<said>(?:^#.*\n)*)^{name} = ", text, flags=re.M)
    return f"{name} {found['said'] or ''}" if found else ""


def test_every_row_is_listed_once(root: Path) -> None:
    numbers = [number for number, _ in table(root)]
    assert sorted(numbers) == sorted(ROWS)


def test_every_listed_test_exists_and_names_its_row(root: Path) -> None:
    for number, tests in table(root):
        assert tests, f"{number} lists no test"
        for test in tests:
            path, _, name = test.partition("::")
            told = told_of((root / path).read_text(), name)
            assert told, f"{number}: there is no {test}"
            assert re.search(rf"\b{number}(?![0-9])", told), f"{test} does not name {number}"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("// D7: one\n// two\nTEST_F(A, B) {", "A.B", "A.B // D7: one\n// two\n"),
        ("// D7\n\nTEST(A, B) {", "A.B", "A.B "),
        ('def test_a() -> None:\n    """D7: x."""\n', "test_a", 'test_a """D7: x."""'),
        ("def test_ab() -> None:\n    pass\n", "test_a", ""),
    ],
)
def test_what_is_told_of_a_test_is_its_own(text: str, name: str, expected: str) -> None:
    assert told_of(text, name) == expected
