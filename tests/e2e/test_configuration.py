"""Changes that are taken back and files that are applied, on a running mesh, under load."""

from __future__ import annotations

import json
from pathlib import Path

from skysail.client import Client
from tests.e2e.conftest import Mesh, until
from tests.e2e.test_commands import constant, refusal
from tests.e2e.test_faults import Load


def test_a_rollback_under_load_fails_no_call(either: Mesh, tmp_path: Path) -> None:
    """D3: answers of the version that was taken back outlive it, in the cache or elsewhere."""
    either.ok("deploy", "back", constant(tmp_path, "1"), "--reason=first", "--keep-warm=0")
    either.ok("deploy", "back", constant(tmp_path, "2"), "--slo-ms=5000", SKYSAIL_AUTHOR="ada")
    with Load(either.grpc, 4, "back", width=1) as load:
        shown = either.ok("rollback", "back", "--dry-run")
        assert "versions.1.weight: default -> 1.0" in shown
        assert "In force" not in shown
        done = either.ok("rollback", "back", "--reason=two was wrong")
        assert "In force everywhere" in done
        load.values.clear()
        answers = load.answers
        while load.answers < answers + 200:
            assert not load.failures
    assert load.values == {1.0}
    assert not load.failures
    changes = either.json("history", "back")["changes"]
    assert [one["action"] for one in changes if one["reason"] == "two was wrong"] == [
        "roll back back: start",
        "roll back back",
        "roll back back: stop what is not called any more",
    ]
    assert {one["author"] for one in changes if one["action"] == "deploy back version 2"} == {"ada"}
    assert "no version '9'" in refusal(either.cli("rollback", "back", "--to", "9"))


def test_a_rollback_to_what_is_warm_is_one_change_and_fails_no_call(either: Mesh, tmp_path: Path) -> None:
    """D3, with the same input over and over: the answers of both versions are in the cache."""
    either.ok("deploy", "quick", constant(tmp_path, "1"))
    either.ok("deploy", "quick", constant(tmp_path, "2"))
    versions = {one["version"]: one for one in either.json("status")["versions"] if one["model"] == "quick"}
    assert (versions["1"]["weight"], versions["1"]["ready"]) == (0.0, 1)
    assert versions["1"]["memory_mib"] > 10
    with Client(either.grpc) as client, Load(either.grpc, 8, "quick", width=1) as load:
        for good in ("1", "2", "1"):
            client.predict("quick", [[7]])
            before = len(either.json("history", "quick")["changes"])
            either.ok("rollback", "quick")
            # It has returned, so every service has taken it over.
            prediction = client.predict("quick", [[7]])
            assert (prediction.version, prediction.value.tolist()) == (good, [float(good)])
            assert [one["action"] for one in either.json("history", "quick")["changes"][before:]] == [
                "roll back quick"
            ]
        assert load.answers > 0
    assert load.failures == []


def test_no_more_versions_stay_loaded_than_the_model_keeps_warm(fused: Mesh, tmp_path: Path) -> None:
    for value in ("1", "2", "3"):
        fused.ok("deploy", "kept", constant(tmp_path, value))
    until(lambda: {one for one in fused.processes() if one.startswith("kept@")} == {"kept@2@0", "kept@3@0"})
    fused.ok("deploy", "kept", constant(tmp_path, "4"), "--keep-warm=0")
    until(lambda: {one for one in fused.processes() if one.startswith("kept@")} == {"kept@4@0"})


def test_a_file_is_exported_changed_applied_and_restored(either: Mesh, tmp_path: Path) -> None:
    either.ok("deploy", "filed", constant(tmp_path, "1"), "--slo-ms=500")
    file = tmp_path / "skysail.yaml"
    file.write_text(either.ok("export"))
    assert "Nothing to change." in either.ok("apply", "-f", str(file), "--prune")
    before = either.json("history")["changes"][-1]["revision"]
    file.write_text(
        "applications:\n"
        "  other: {models: [filed], objective_ms: 250}\n"
        "  filed: {models: [filed], objective_ms: 125}\n"
    )
    assert "add --yes" in refusal(either.cli("apply", "-f", str(file)))
    shown = either.ok("apply", "-f", str(file), "--yes")
    assert "+ application other" in shown and "objective_ms: 500.0 -> 125.0" in shown
    assert either.ok("predict", "other", "[[0]]").startswith("y: [1.]")
    difference = either.json("config", "diff", str(before))
    assert [one["document"].rsplit("/", 1)[1] for one in difference] == ["filed", "other"]
    either.ok("config", "restore", str(before), "--yes")
    assert either.json("config", "diff", str(before)) == []
    assert "there is no application or model 'other'" in refusal(either.cli("predict", "other", "[[0]]"))


def test_a_version_that_does_not_start_is_not_rolled_back_to(either: Mesh, tmp_path: Path) -> None:
    either.ok("deploy", "stuck", constant(tmp_path, "1"), "--keep-warm=0")
    either.ok("deploy", "stuck", constant(tmp_path, "2"))
    exported = either.json("export")
    uri = exported["/skysail/v1/models/stuck/versions/1"]["artefact"]["uri"]
    (artefact,) = Path(uri.removeprefix("file://")).glob("model/*.py")
    text = artefact.read_text()
    artefact.write_text("raise SystemExit('broken on disk')\n")
    try:
        said = refusal(either.cli("rollback", "stuck", "--timeout-s", "30"))
        assert "was changed after it was deployed" in said
        assert json.loads(either.ok("export", "--json")) == exported
        assert either.ok("predict", "stuck", "[[0]]").startswith("y: [2.]")
    finally:
        artefact.write_text(text)


def test_what_a_file_gets_wrong_is_one_sentence(mesh: Mesh, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    for text, message in (
        ("models: {digits: {versions: {77: {weight: 1}}}}", "model digits: there is no version '77'"),
        ("applications: {a: {models: [nobody]}}", "application a: there is no model 'nobody'"),
        ("models: {digits: {versions: {1: {weight: -1}}}}", "weight: must be between 0 and"),
    ):
        file.write_text(text)
        assert message in refusal(mesh.cli("apply", "-f", str(file), "--yes"))
    assert "No such file" in refusal(mesh.cli("apply", "-f", str(tmp_path / "none.yaml")))
