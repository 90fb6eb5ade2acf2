"""The C++ test programs: as built for release, under ASan with UBSan, and under TSan."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Flavour -> what CMake is told to sanitize. The build folders are kept: a second run rebuilds what changed.
SANITIZERS = {"native": "", "asan": "address", "tsan": "thread"}
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:check_initialization_order=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}
RUN_LIMIT_S = 300


def folders() -> list[str]:
    """The folders of native/ that have tests: each is one program."""
    return sorted({path.parent.name for path in ROOT.glob("native/*/*_test.cc")})


def run(command: list[str], *, limit_s: float) -> None:
    """Run a command; fail the test with what it printed."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit_s,
        env=os.environ | OPTIONS,
        check=False,
    )
    if done.returncode:
        pytest.fail(
            f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-12000:]}", pytrace=False
        )


@cache
def configured(flavour: str) -> Path:
    """The build folder of a flavour, configured once a session."""
    build = ROOT / "build" / flavour
    options = [f"-DSKYSAIL_SANITIZE={SANITIZERS[flavour]}", "-DSKYSAIL_TESTS=ON", "-DSKYSAIL_PYTHON=OFF"]
    run(["cmake", "-S", str(ROOT / "native"), "-B", str(build), "-G", "Ninja", *options], limit_s=120)
    return build


def without_address_randomisation() -> list[str]:
    """The prefix with which GCC 12's TSan finds the memory map it wants on kernels that randomise much."""
    setarch = shutil.which("setarch")
    if setarch is None:
        return []
    prefix = [setarch, os.uname().machine, "--addr-no-randomize"]
    works = subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
    return prefix if works else []


@pytest.mark.parametrize("folder", folders())
@pytest.mark.parametrize("flavour", SANITIZERS)
def test_cpp(flavour: str, folder: str) -> None:
    build = configured(flavour)
    jobs = min(2, len(os.sched_getaffinity(0)))
    run(["cmake", "--build", str(build), f"-j{jobs}", "--target", f"{folder}_test"], limit_s=900)
    prefix = without_address_randomisation() if flavour == "tsan" else []
    run([*prefix, str(build / f"{folder}_test"), "--gtest_brief=1"], limit_s=RUN_LIMIT_S)


def test_every_part_of_the_core_has_tests() -> None:
    with_code = {path.parent.name for path in ROOT.glob("native/*/*.cc")} - {"bindings", "fuzz"}
    assert with_code == set(folders())
