"""The shape of the checkout: links, public names, and what must not be in a tracked file."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skysail

FOLDERS = {
    "batcher",
    "cli",
    "client",
    "control",
    "frontend",
    "model_servers",
    "native",
    "selector",
    "telemetry",
}


def tracked(root: Path) -> list[Path]:
    """Every tracked regular file."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    paths = [root / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def test_processes_that_tests_start_cache_their_code_as_users_do() -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"], capture_output=True, check=True
    ).stdout
    assert said == b"False\n"


def test_each_folder_is_linked_into_the_package(root: Path) -> None:
    package = root / "src" / "skysail"
    links = {path.name: os.readlink(path) for path in package.iterdir() if path.is_symlink()}
    assert links == {name: f"../../{name}" for name in FOLDERS}
    assert all((root / name / "__init__.py").is_file() for name in FOLDERS)


def test_links_are_tracked_as_links(root: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-s", "src/skysail"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert {line.rsplit("/", 1)[1] for line in listed.splitlines() if line.startswith("120000")} == FOLDERS


def test_setup_is_short(root: Path) -> None:
    assert len((root / "setup.py").read_text().splitlines()) < 150


def test_package_initialisers_only_re_export(root: Path) -> None:
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.If)
    for name in FOLDERS:
        body = ast.parse((root / name / "__init__.py").read_text()).body
        rest = [node for node in body if not isinstance(node, allowed)]
        # The docstring is the one expression; a module's __getattr__ may load a name when it is asked for.
        extra = [
            node
            for node in rest
            if not isinstance(node, ast.Expr)
            and not (isinstance(node, ast.FunctionDef) and node.name in {"__getattr__", "__dir__"})
        ]
        assert not extra, f"{name}/__init__.py defines {[type(node).__name__ for node in extra]}"


def test_public_names_are_these() -> None:
    assert set(skysail.__all__) == {"Client", "Prediction", "SkysailError", "__version__"}
    for name in skysail.__all__:
        assert getattr(skysail, name) is not None
    assert set(skysail.__all__) <= set(dir(skysail))
    with pytest.raises(AttributeError, match="no attribute 'Sail'"):
        skysail.Sail  # noqa: B018


def test_import_is_light() -> None:
    heavy = "grpc", "numpy", "pydantic", "typer", "starlette", "aetcd"
    program = f"import sys, skysail; print(sorted(set({heavy!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_tracked_file_names_a_place_of_one_machine(root: Path) -> None:
    place = re.compile(rb"(?<![\w./-])/(?:work|root|home/[a-z]\w*|Users/\w+)/[\w.]")
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:80]!r}"
        for path in tracked(root)
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if place.search(line)
    ]
    assert not found, "\n".join(found)


def test_no_tracked_file_is_left_half_done(root: Path) -> None:
    half_done = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    here = Path(__file__).resolve()
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in tracked(root)
        if path.suffix in {".py", ".pyi", ".pyx", ".cc", ".h", ".md", ".toml", ".proto", ".txt"}
        and path != here
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if half_done.search(line)
    ]
    assert not found, "\n".join(found)


def test_readme_names_the_first_commands(root: Path) -> None:
    readme = (root / "README.md").read_text()
    verbs = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), flags=re.M))
    named = set(re.findall(r"\bmake ([a-z]+)\b", readme))
    assert {"demo", "test", "bench"} <= named <= verbs


def test_documentation_links_lead_somewhere(root: Path) -> None:
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in [root / "README.md", root / "CHANGELOG.md", *root.glob("docs/**/*.md")]
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken, "\n".join(broken)
