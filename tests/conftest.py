"""What every test may rely on: a checkout's root, and a state folder of its own."""

import os
from pathlib import Path

import pytest

# Whoever runs the tests may have switched the interpreter's cache of code off; users have not. The processes
# that tests start, from the first fixture on, are as theirs.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.plugins.etcd", "tests.plugins.grpcpp", "tests.plugins.oip_server"]

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(autouse=True)
def skysail_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the state of the person who runs it."""
    home = tmp_path / "skysail-home"
    monkeypatch.setenv("SKYSAIL_HOME", str(home))
    return home
