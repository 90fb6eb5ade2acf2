"""The command line without a mesh: help, usage errors, how errors look, how quick it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import skysail
from skysail.cli.main import app
from skysail.cli.samples import sample, sample_http
from skysail.control.signature_text import parse_signature

COMMANDS = [
    "up",
    "down",
    "status",
    "top",
    "latency",
    "logs",
    "deploy",
    "scale",
    "rollout",
    "promote",
    "pause",
    "resume",
    "abort",
    "predict",
    "frontend",
    "selector",
    "batcher",
    "serve-model",
    "version",
]


def test_help_lists_every_command() -> None:
    done = CliRunner().invoke(app, ["--help"])
    assert done.exit_code == 0
    assert [name for name in COMMANDS if name not in done.output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "skysail.cli.main", command, "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "usage" in done.stdout.lower()


def test_help_shows_what_stands_in_brackets() -> None:
    words = " ".join(CliRunner().invoke(app, ["deploy", "--help"]).output.replace("│", " ").split())
    assert "[1000 at first]" in words and "[on at first]" in words


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["deploy"],
        ["scale", "a", "many"],
        ["up", "--threads", "0"],
        ["up", "--poll-us", "10001"],
        ["deploy", "a", "b", "--cache", "maybe"],
        ["rollout", "a", "--to", "2", "--canary", "few,100"],
        ["rollout", "a", "--to", "2", "--hold", "30"],
        ["predict", "a"],
        ["predict", "a", "1", "--input", "x.json"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_version_is_the_packages() -> None:
    assert CliRunner().invoke(app, ["version"]).output.strip() == skysail.__version__


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, skysail.cli.main\n"
        "print(sorted({'numpy', 'grpc', 'pydantic', 'aetcd', 'sklearn', 'starlette'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_debug_shows_where_an_error_came_from() -> None:
    command = [sys.executable, "-m", "skysail.cli.main"]
    plain = subprocess.run([*command, "status"], capture_output=True, text=True, timeout=60)
    traced = subprocess.run([*command, "--debug", "status"], capture_output=True, text=True, timeout=60)
    assert plain.returncode == traced.returncode == 1
    assert "Traceback" not in plain.stderr and "Traceback" in traced.stderr


def test_samples_can_be_sent_as_they_are() -> None:
    one = parse_signature(["x:FP32:[-1,3]"], ["y:FP32:[-1]"])
    assert sample(one) == "'[[0, 0, 0]]'"
    two = parse_signature(["a:BYTES:[-1]", "b:BOOL:[-1,2]"], ["y:FP32:[-1]"])
    assert json.loads(sample(two).strip("'")) == {"a": ["text"], "b": [[True, True]]}
    assert json.loads(sample_http(two))["inputs"][1] == {
        "name": "b",
        "datatype": "BOOL",
        "shape": [1, 2],
        "data": [[True, True]],
    }


def test_samples_that_nobody_would_read_are_shortened() -> None:
    wide = parse_signature(["x:FP32:[-1,300]"], ["y:FP32:[-1]"])
    assert sample(wide) == "--input rows.npy"
    assert '"data": [...]' in sample_http(wide)
