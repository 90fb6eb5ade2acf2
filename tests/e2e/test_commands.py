"""What the command line does to a running mesh, and what it says when it cannot."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

import skysail.client
from skysail.client import Client
from tests.e2e.conftest import Mesh, until
from tests.e2e.test_faults import Load

CONSTANT = """
import numpy as np

class Constant:
    inputs = ["x:FP32:[-1,1]"]
    outputs = ["y:FP32:[-1]"]

    def load(self, path):
        {load}

    def predict(self, inputs):
        return {{"y": np.full(len(inputs["x"]), {value}, np.float32)}}
"""


def constant(folder: Path, value: str, load: str = "pass") -> str:
    path = folder / "constant.py"
    path.write_text(CONSTANT.format(value=value, load=load))
    return f"{path}:Constant"


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on the terminal."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
    assert len(lines) == 1 and lines[0].startswith("skysail: "), done.stderr
    return lines[0]


def models(mesh: Mesh) -> set[str]:
    return {one["name"] for one in mesh.json("status")["applications"]}


def test_prometheus_finds_every_process_at_one_address(either: Mesh) -> None:
    with urllib.request.urlopen(f"http://{either.json('status')['metrics']}/targets", timeout=10) as answer:
        listed = json.load(answer)
    roles = Counter(group["labels"]["role"] for group in listed)
    services = {one["role"]: 1 for one in either.json("status")["services"]}
    assert {**services, "supervisor": 1, "etcd": 1} == {
        role: count for role, count in roles.items() if role != "model-server"
    }
    assert roles["model-server"] >= 4
    for group in listed:
        with urllib.request.urlopen(f"http://{group['targets'][0]}/metrics", timeout=10) as answer:
            assert b"process_resident_memory_bytes" in answer.read()


def test_second_up_says_that_it_runs_already(either: Mesh) -> None:
    assert "is running already" in refusal(either.cli("up"))
    assert "skysail down" in refusal(either.cli("up", "--foreground"))


def test_status_names_addresses_services_versions_and_replicas(mesh: Mesh) -> None:
    found = mesh.json("status")
    assert found["frontend"] == {"grpc": mesh.grpc, "http": mesh.http}
    assert {one["role"] for one in found["services"]} == {"frontend", "selector", "batcher"}
    assert all(one["answers"] for one in found["services"])
    versions = {one["model"]: one for one in found["versions"]}
    assert (versions["digits"]["ready"], versions["digits"]["replicas"]) == (2, 2)
    assert versions["digits"]["limit_rows"] >= 1
    table = mesh.ok("status")
    assert "digits" in table and mesh.grpc in table


def test_status_counts_calls_batches_and_hits(either: Mesh) -> None:
    x = np.random.default_rng(5).random((1, 64))
    with Client(either.grpc) as client:
        for _ in range(4):
            client.predict("digits", x)
    found = either.json("status")
    application = next(one for one in found["applications"] if one["name"] == "digits")
    version = next(one for one in found["versions"] if one["model"] == "digits")
    assert application["requests"] >= 4 and application["p50_ms"] > 0 and application["p99_ms"] > 0
    assert version["cache_hits"] >= 3 and 0 < version["hit_rate"] < 1
    assert version["batch_rows"] >= 1


def test_top_shows_what_was_called_in_the_last_seconds(either: Mesh) -> None:
    x = np.random.default_rng(6).random((1, 64))
    with Client(either.grpc) as client:
        for _ in range(4):
            client.predict("digits", x)
        with pytest.raises(skysail.client.ModelFailed):
            client.predict("probe", {"x": np.full((1, 16), -1, np.float32)})
    found = either.json("top", "--once", "--last-s", "30")
    application = next(one for one in found["applications"] if one["name"] == "digits")
    assert application["rate_per_s"] * found["seconds"] + 1 >= 4 and application["p50_ms"] > 0
    assert application["p50_ms"] <= application["p99_ms"] and application["objective_ms"] == 1000
    assert next(one for one in found["applications"] if one["name"] == "probe")["errors_per_s"] > 0
    version = next(one for one in found["versions"] if one["model"] == "digits")
    assert 0 < version["hit_rate"] <= 1 and version["batch_rows"] >= 1 and version["batch_p99_ms"] > 0
    assert {one["replica"] for one in found["replicas"] if one["model"] == "probe"} == {"0", "1"}
    assert "digits" in either.ok("top", "--once")


def test_watched_status_goes_on_where_there_is_no_terminal(fused: Mesh) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-m", "skysail.cli.main", "status", "--watch"],
        env={**os.environ, "SKYSAIL_HOME": str(fused.home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    overdue = threading.Timer(30, watching.kill)
    overdue.start()
    try:
        assert watching.stdout is not None
        heads = (line for line in watching.stdout if line.startswith(f"gRPC {fused.grpc}"))
        assert len(list(itertools.islice(heads, 2))) == 2
    finally:
        overdue.cancel()
        watching.kill()
        watching.communicate()


@pytest.mark.parametrize(
    "inputs", ["[[0.5,1.5,0,0,0,0,0,0,0,0,0,0,0,0,0,3]]", '{"x": [[0.5,1.5,0,0,0,0,0,0,0,0,0,0,0,0,0,3]]}']
)
def test_predict_takes_rows_and_names(either: Mesh, inputs: str) -> None:
    answer = either.json("predict", "probe", inputs)
    assert answer["outputs"] == {"y": [5.0]}
    assert (answer["model"], answer["version"], answer["default"]) == ("probe", "1", False)


def test_predict_reads_files(
    either: Mesh, tmp_path: Path, digits: tuple[Path, LogisticRegression, Any]
) -> None:
    _, model, images = digits
    np.save(tmp_path / "x.npy", images[:2])
    (tmp_path / "x.json").write_text(json.dumps({"x": images[:2].tolist()}))
    for name in ("x.npy", "x.json"):
        answer = either.json("predict", "digits", "--input", str(tmp_path / name))
        assert answer["outputs"]["label"] == model.predict(images[:2]).tolist()


def test_predict_says_what_does_not_fit(mesh: Mesh) -> None:
    assert "nobody" in refusal(mesh.cli("predict", "nobody", "[[1]]"))
    assert "[-1,16]" in refusal(mesh.cli("predict", "probe", "[[1, 2]]"))
    assert "not JSON" in refusal(mesh.cli("predict", "probe", "[[1, 2"))
    assert "FP32" in refusal(mesh.cli("predict", "probe", '[["a"]]'))
    assert "gone.npy cannot be read: No such file" in refusal(
        mesh.cli("predict", "probe", "--input", "gone.npy")
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gone.joblib"], "gone.joblib does not exist"),
        (["notes.txt"], "cannot tell what notes.txt holds"),
        (["broken.joblib"], "failed to load"),
        (["dict.joblib"], "holds a dict, which has neither predict nor transform"),
        (["constant.py"], "say which class to serve: constant.py:Class"),
        (["constant.py:Missing"], "no class 'Missing'; it has Constant"),
        (["constant.py:Constant", "--data", "nowhere"], "the data nowhere does not exist"),
        (["constant.py:Constant", "--input", "x:F32:[1]"], "F32"),
        (["constant.py:Constant", "--default", "{"], "--default must be JSON"),
        (["constant.py:Constant", "--default", '"a"'], "default"),
        (["constant.py:Constant", "--slo-ms", "0"], "objective_ms"),
        (["constant.py:Constant", "--weight", "0"], "weight"),
        (["constant.py:Constant", "--priority", "urgent"], "priority"),
    ],
)
def test_deploy_that_cannot_be_done_changes_nothing(
    fused: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    constant(tmp_path, "1")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "broken.joblib").write_bytes(b"not a pickle")
    joblib.dump({"a": 1}, tmp_path / "dict.joblib")
    assert words in refusal(fused.cli("deploy", "new", *arguments))
    assert "new" not in models(fused)


@pytest.mark.parametrize(
    ("value", "load", "words"),
    [
        ("1", "raise RuntimeError('the weights are missing')", "RuntimeError: the weights are missing"),
        ("1 // 0", "pass", "in the warm-up call with zeros: ZeroDivisionError"),
        ("1", "import os; os._exit(7)", "ended the process that loaded it (status 7)"),
        ("1", "import os, sys; 'replica-id' in str(sys.argv) and os._exit(8)", "ended while it was starting"),
    ],
)
def test_model_that_does_not_load_leaves_the_old_version_serving(
    fused: Mesh, tmp_path: Path, value: str, load: str, words: str
) -> None:
    fused.ok("deploy", "steady", constant(tmp_path, "1"), "--version", "good")
    assert words in refusal(
        fused.cli("deploy", "steady", constant(tmp_path, value, load), "--version", "bad")
    )
    assert words in refusal(fused.cli("deploy", "fresh", constant(tmp_path, value, load)))
    assert fused.json("predict", "steady", "[[1]]")["version"] == "good"
    versions = {one["version"]: one for one in fused.json("status")["versions"] if one["model"] == "steady"}
    assert set(versions) == {"good"} and versions["good"]["ready"] == 1
    assert "fresh" not in models(fused)
    until(lambda: not any(name.startswith(("steady@bad", "fresh@")) for name in fused.processes()))


def test_new_version_takes_over_without_a_failed_or_a_stale_call(either: Mesh, tmp_path: Path) -> None:
    """D3: a new version leaves old answers in the cache."""
    either.ok("deploy", "turn", constant(tmp_path, "1"))
    with Client(either.grpc) as client:
        assert client.predict("turn", [[7]]).value.tolist() == [1.0]
        with Load(either.grpc, callers=4, name="turn", width=1) as load:
            until(lambda: load.answers > 50)
            either.ok("deploy", "turn", constant(tmp_path, "2"))
            load.values.clear()
            # The same input, which the cache knows of the old version.
            prediction = client.predict("turn", [[7]])
            before = load.answers
            until(lambda: load.answers > before + 50)
        assert load.failures == []
        # One call of each caller may have been on its way when the route changed; none after it.
        assert 2.0 in load.values
        assert (prediction.value.tolist(), prediction.version) == ([2.0], "2")
    assert any(name.startswith("turn@1") for name in either.processes()), "it is kept warm"


def test_same_artefact_again_is_the_same_version(fused: Mesh, tmp_path: Path) -> None:
    path = constant(tmp_path, "5")
    first = fused.json("deploy", "again", path)
    assert fused.json("deploy", "again", path, "--slo-ms", "250")["version"] == first["version"]
    application = next(one for one in fused.json("status")["applications"] if one["name"] == "again")
    assert application["objective_ms"] == 250


def test_other_bytes_under_an_old_version_are_refused(fused: Mesh, tmp_path: Path) -> None:
    fused.ok("deploy", "fixed", constant(tmp_path, "5"), "--version", "v")
    said = refusal(fused.cli("deploy", "fixed", constant(tmp_path, "6"), "--version", "v"))
    assert "versions never change" in said
    assert fused.json("predict", "fixed", "[[1]]")["outputs"]["y"] == [5.0]


def test_scale_starts_and_stops_replicas(either: Mesh, tmp_path: Path) -> None:
    either.ok("deploy", "wide", constant(tmp_path, "5"))
    either.ok("scale", "wide", "3")
    assert sum(one["model"] == "wide" for one in either.json("status")["replicas"]) == 3
    assert "wide has 1 replica of version 1." in either.ok("scale", "wide", "1", "--version", "1")
    assert sum(one["model"] == "wide" for one in either.json("status")["replicas"]) == 1
    assert "nobody" in refusal(either.cli("scale", "nobody", "1"))


def test_default_output_stands_in_when_no_replica_is_left(either: Mesh, tmp_path: Path) -> None:
    """D20: a default output cannot be told from a prediction, nor why it stands in."""
    either.ok("deploy", "fallback", constant(tmp_path, "5"), "--default", "9.5", "--slo-ms", "500")
    either.ok("scale", "fallback", "0")
    answer = either.json("predict", "fallback", "[[1]]")
    assert (answer["default"], answer["outputs"]) == (True, {"y": [9.5]})
    assert answer["reason"]


def test_text_classes_reach_every_kind_of_caller(either: Mesh, tmp_path: Path) -> None:
    model = DummyClassifier(strategy="constant", constant="grün").fit([[0.0], [1.0]], ["grün", "rot"])
    joblib.dump(model, tmp_path / "colours.joblib")
    either.ok("deploy", "colours", str(tmp_path / "colours.joblib"))
    assert either.json("predict", "colours", "[[1]]")["outputs"]["label"] == ["grün"]
    with Client(either.grpc) as client:
        assert client.predict("colours", [[1.0]]).value.tolist() == ["grün".encode()]


def test_logs_show_what_a_model_printed(fused: Mesh) -> None:
    assert "is served at" in fused.ok("logs", "digits")
    assert "started fused" in fused.ok("logs", "-n", "100000")
    assert "there is no log of 'nobody'" in refusal(fused.cli("logs", "nobody"))


def test_taken_port_is_said_before_anything_starts(fused: Mesh, tmp_path: Path) -> None:
    port = fused.grpc.rpartition(":")[2]
    home = tmp_path / "other"
    said = refusal(Mesh(home).cli("up", "--listen", fused.grpc))
    assert f"port {port} on 127.0.0.1 is taken by another program" in said
    assert not any((home / "run").glob("processes/*"))


def test_missing_etcd_is_said_before_anything_starts(tmp_path: Path) -> None:
    said = refusal(Mesh(tmp_path).cli("up", PATH=str(Path(sys.executable).parent)))
    assert "there is no etcd program on PATH" in said and "--etcd" in said


def test_etcd_that_does_not_answer_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    said = refusal(Mesh(tmp_path).cli("up", "--etcd", "127.0.0.1:1"))
    assert "127.0.0.1:1" in said
    assert not any((tmp_path / "run").glob("processes/*"))


@pytest.mark.parametrize(
    "command", [["status"], ["deploy", "a", "b.joblib"], ["predict", "a", "1"], ["scale", "a", "1"]]
)
def test_without_a_mesh_each_command_says_how_to_start_one(tmp_path: Path, command: list[str]) -> None:
    assert "start it with `skysail up`" in refusal(Mesh(tmp_path).cli(*command))
