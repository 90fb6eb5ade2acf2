"""The wheel: built as a user builds it, installed in an environment of its own, and run."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import skysail


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freshly built wheel; the compiled parts come from the incremental build."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["make", "-s", "wheel", f"DIST={folder}"], cwd=root, check=True, timeout=600)
    (path,) = folder.glob("skysail-*.whl")
    return path


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel alone; its dependencies are the ones that this run has."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    install = [sys.executable, "-m", "pip", "--disable-pip-version-check", f"--python={folder}", "install"]
    subprocess.run([*install, "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (ours,) = {
        path
        for path in map(Path, sys.path)
        if path.name == "site-packages" and path.is_relative_to(sys.prefix)
    }
    # Such an entry comes after the environment's own folder, and the .pth files in it (the editable install's
    # among them) do not count.
    (site / "dependencies.pth").write_text(f"{ours}\n")
    return folder / "bin" / "python"


def test_wheel_holds_packages_extensions_and_types(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = root / "src" / "skysail"
    expected = {f"skysail/{path.name}" for path in package.glob("*.py")}
    for folder in filter(Path.is_dir, package.iterdir()):
        sources = [*folder.rglob("*.py"), *folder.rglob("*.pyi")]
        expected |= {f"skysail/{folder.name}/{path.relative_to(folder)}" for path in sources}
    assert expected <= names, sorted(expected - names)
    assert "skysail/py.typed" in names
    extensions = {name.split(".", 1)[0] for name in names if name.endswith(".so")}
    assert extensions == {"skysail/native/_core", "skysail/native/codec"}
    assert not [name for name in names if name.endswith((".cc", ".h", ".c", "_test.py"))]


def test_wheel_bears_the_version_and_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    text = archive.read(metadata).decode()
    assert f"\nVersion: {skysail.__version__}\n" in text
    assert "\nLicense-Expression: Apache-2.0\n" in text
    assert any(name.endswith("/LICENSE") for name in archive.namelist())


def test_wheel_runs_where_the_checkout_is_not(python: Path, tmp_path: Path) -> None:
    program = (
        "import skysail, skysail.native, skysail.client, skysail.native.codec as codec\n"
        "print(skysail.__file__, skysail.native.__file__, codec.__file__, sep='\\n')"
    )
    done = subprocess.run([python, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = str(python.parent.parent)
    assert all(line.startswith(environment) for line in done.stdout.splitlines()), done.stdout


def test_installed_command_explains_itself(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python.parent / "skysail", "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"up", "deploy", "predict", "status", "down"} <= set(done.stdout.split())
