"""Rollouts on a running mesh under load: real models, good, failing and slow ones."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Mesh, until
from tests.e2e.test_commands import constant, refusal
from tests.e2e.test_faults import Load

SICK = """
import time
import numpy as np

class Sick:
    inputs = ["x:FP32:[-1,1]"]
    outputs = ["y:FP32:[-1]"]

    def predict(self, inputs):
        {harm}
        return {{"y": np.full(len(inputs["x"]), 2, np.float32)}}
"""


def sick(folder: Path, harm: str) -> str:
    """A version that is well in its warm-up call, with zeros."""
    path = folder / "sick.py"
    path.write_text(SICK.format(harm=f"if inputs['x'].any(): {harm}"))
    return f"{path}:Sick"


def deployed(mesh: Mesh, name: str, tmp_path: Path, second: str) -> None:
    """Version 1 has the calls, version 2 is there."""
    first = tmp_path / "first"
    first.mkdir()
    mesh.ok("deploy", name, constant(first, "1"), "--cache=off", "--slo-ms=2000")
    mesh.ok("deploy", name, second, "--no-route")
    assert mesh.json("predict", name, "[[1]]")["version"] == "1"


def answers(load: Load, more: int) -> None:
    """Returns when so many more have come."""
    before = load.answers
    until(lambda: load.answers >= before + more)


def actions(mesh: Mesh, name: str) -> list[str]:
    return [one["action"] for one in mesh.json("history", name)["changes"]]


def test_a_good_version_gets_all_calls_step_by_step(mesh: Mesh, tmp_path: Path) -> None:
    deployed(mesh, "walk", tmp_path, constant(tmp_path, "2"))
    plan = ("--to=2", "--canary=20,60,100", "--hold=1s", "--gate=error_rate<=baseline+1%", "--min-calls=20")
    with Load(mesh.grpc, 4, "walk", width=1) as load:
        shown = mesh.ok("rollout", "walk", *plan, "--dry-run")
        assert "+ rollout walk" in shown and "versions.2.weight: default -> 20.0" in shown
        assert "there is no rollout of model 'walk'" in refusal(mesh.cli("rollout", "walk"))
        mesh.ok("rollout", "walk", *plan, "--wait")
        answers(load, 50)
    assert load.failures == []
    assert mesh.json("predict", "walk", "[[1]]")["version"] == "2"
    assert actions(mesh, "walk")[-3:] == [f"rollout of walk to 2: {one}" for one in ("60%", "100%", "done")]
    assert "is done" in mesh.ok("rollout", "walk")
    mesh.ok("rollback", "walk")
    assert mesh.json("predict", "walk", "[[1]]")["version"] == "1"


@pytest.mark.parametrize(
    ("harm", "gate"),
    [
        ("raise ValueError('sick')", "error_rate<=baseline+1%"),
        ("return {'y': np.zeros(len(inputs['x']) + 1, np.float32)}", "error_rate<1%"),
        ("time.sleep(0.08)", "p99_ms<40"),
    ],
)
def test_a_bad_version_is_rolled_back_with_no_command_given(
    fused: Mesh, tmp_path: Path, harm: str, gate: str
) -> None:
    name = "ill-" + "".join(filter(str.isalnum, gate))
    deployed(fused, name, tmp_path, sick(tmp_path, harm))
    with Load(fused.grpc, 4, name, width=1) as load:
        said = refusal(
            fused.cli("rollout", name, "--to=2", "--canary=20,100", "--hold=60s", f"--gate={gate}", "--wait")
        )
        assert f"is rolled back: {gate}: " in said
        last = fused.json("history", name)["changes"][-1]
        until(lambda: all(one["revision"] >= last["revision"] for one in fused.json("status")["services"]))
        answers(load, 50)  # what was on its way has come
        load.failures.clear()
        answers(load, 50)
        assert load.failures == []
    assert last["author"].startswith("fused/") and last["action"] == f"rollout of {name} to 2: rolled back"
    assert last["reason"].startswith(gate)
    until(lambda: f"{name}@2@0" not in fused.processes())


def test_a_rollout_goes_on_where_a_killed_selector_left_it(mesh: Mesh, tmp_path: Path) -> None:
    deployed(mesh, "heir", tmp_path, constant(tmp_path, "2"))
    plan = ("--to=2", "--canary=30,100", "--hold=4s", "--min-calls=20")
    with Load(mesh.grpc, 2, "heir", width=1):
        mesh.ok("rollout", "heir", *plan)
        until(lambda: mesh.json("rollout", "heir")["held_s"] > 0)
        os.kill(mesh.processes()["selector"], signal.SIGKILL)
        until(lambda: mesh.json("rollout", "heir")["state"] == "done", timeout_s=60)
    assert actions(mesh, "heir")[-3:] == [f"rollout of heir to 2: {one}" for one in ("30%", "100%", "done")]


def test_orders_from_the_command_line(fused: Mesh, tmp_path: Path) -> None:
    deployed(fused, "told", tmp_path, constant(tmp_path, "2"))
    fused.ok("rollout", "told", "--to=2", "--canary=50,100", "--hold=1h")
    assert 'state: default -> "paused"' in fused.ok("pause", "told", "--dry-run")
    fused.ok("pause", "told", "--reason=lunch")
    assert fused.json("rollout", "told")["state"] == "paused"
    assert "is paused already" in refusal(fused.cli("pause", "told"))
    fused.ok("resume", "told")
    fused.ok("abort", "told")
    assert {fused.json("predict", "told", f"[[{i}]]")["version"] for i in range(8)} == {"1"}
    fused.ok("rollout", "told", "--to=2", "--canary=50,100", "--hold=1h")
    fused.ok("promote", "told")
    assert {fused.json("predict", "told", f"[[{i}]]")["version"] for i in range(8)} == {"2"}
    assert json.loads(fused.ok("export", "--json")).keys().isdisjoint({"/skysail/v1/rollouts/told"})
    assert "Nothing to change." in fused.ok(
        "config", "restore", str(fused.json("status")["revision"]), "--yes"
    )


def test_what_is_no_rollout_is_one_sentence_and_changes_nothing(fused: Mesh, tmp_path: Path) -> None:
    deployed(fused, "sane", tmp_path, constant(tmp_path, "2"))
    assert "takes its calls: leave out --no-route" in refusal(
        fused.cli("deploy", "fresh", constant(tmp_path, "2"), "--no-route")
    )
    before = fused.json("export")
    for arguments, words in (
        (("--to=9",), "model 'sane' has no version '9', only 1, 2"),
        (("--to=1",), "version: '1' takes the calls already"),
        (("--to=2", "--gate=speed<3"), "'speed' is no metric; there are error_rate"),
        (("--to=2", "--canary=5,50"), "must end with 100"),
        (("--to=2", "--canary=50,5,100"), "must ascend"),
    ):
        assert words in refusal(fused.cli("rollout", "sane", *arguments))
    assert fused.json("export") == before
