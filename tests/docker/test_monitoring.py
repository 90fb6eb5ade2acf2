"""The files for Prometheus and Grafana in docker/: whole, legal, and of metrics that there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skysail.telemetry.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "docker/prometheus/skysail.rules.yml"
DASHBOARDS = sorted((ROOT / "docker/grafana/dashboards").glob("*.json"))

#: What Prometheus adds to the labels of a process, and service discovery to those.
OF_TARGETS = {"job", "instance", "role", "id"}
_PROCESS = ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds")
_WORDS = {"by", "on", "without", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool"}


def known() -> dict[str, set[str]]:
    """Every series by its name, with its labels."""
    found = {f"process_{name}": set(OF_TARGETS) for name in _PROCESS}
    found |= {"up": set(OF_TARGETS), "ALERTS": {"alertname", "alertstate"}}
    for family in FAMILIES:
        labels = {*family.labels, *OF_TARGETS}
        if family.kind == "histogram":
            found |= {f"{family.name}_{part}": labels for part in ("sum", "count")}
            found[f"{family.name}_bucket"] = {*labels, "le"}
        else:
            found[family.told_as] = labels
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = set.union(*(known_by for _, known_by in uses(rule["expr"])))
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def uses(expression: str) -> list[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that are asked of it; then the labels of groups."""
    plain = re.sub(r'"[^"]*"', "", expression)
    plain = re.sub(r"\[[^]]*\]", "", plain)
    groups: set[str] = set()
    for clause in re.findall(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)", plain):
        groups |= set(re.findall(r"\w+", clause))
    plain = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", plain)
    metrics = []
    for name, called, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\()?(?:\{([^}]*)\})?", plain):
        if not called and name not in _WORDS:
            metrics.append((name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))))
        plain = plain.replace("{" + matchers + "}", "")
    return [*((name, labels) for name, labels in metrics), ("", groups)]


def panels(board: Path) -> Iterator[dict[str, Any]]:
    yield from (panel for panel in json.loads(board.read_text())["panels"] if panel["type"] != "row")


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where each stands, what it asks, and what its series are called."""
    for rule in rules():
        text = " ".join(rule.get("annotations", {}).values())
        yield rule.get("alert") or rule["record"], rule["expr"], text
    for board in DASHBOARDS:
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{board.stem}: {panel['title']}", target["expr"], target["legendFormat"]


def faults(where: str, expression: str, text: str) -> Iterator[str]:
    """What an expression and the text about it name that there is not."""
    there = known()
    *metrics, (_, groups) = uses(expression)
    labels: set[str] = set()
    for name, asked in metrics:
        if name not in there:
            yield f"{where}: there is no metric {name}"
            continue
        labels |= there[name]
        for label in asked - there[name]:
            yield f"{where}: {name} has no label {label}"
    said = set(re.findall(r"\$labels\.(\w+)", text)) | set(re.findall(r"{{(\w+)}}", text))
    for label in (groups | said) - labels:
        yield f"{where}: no metric there has the label {label}"
    for name in re.findall(r"\bskysail_\w+", text):
        if name not in there and f"{name}_bucket" not in there:
            yield f"{where}: there is no metric {name}"


def test_every_metric_and_label_that_is_used_exists() -> None:
    assert [fault for one in expressions() for fault in faults(*one)] == []


@pytest.mark.parametrize(
    ("expression", "text", "fault"),
    [
        ("rate(skysail_frontend_calls_total[5m])", "", "no metric skysail_frontend_calls_total"),
        ('skysail_frontend_in_flight{model="a"}', "", "skysail_frontend_in_flight has no label model"),
        ("sum by (modle) (skysail_batcher_queue_depth)", "", "the label modle"),
        ("sum by (model) (skysail_batcher_queue_depth)", "{{ $labels.aplication }}", "the label aplication"),
        ("up == 0", "skysail_up says more", "no metric skysail_up"),
        ("rate(skysail_batcher_batch_rows[5m])", "", "no metric skysail_batcher_batch_rows"),
    ],
)
def test_what_does_not_exist_is_found(expression: str, text: str, fault: str) -> None:
    assert [fault in one for one in faults("x", expression, text)] == [True]


def test_prometheus_takes_the_rules_and_they_say_what_they_should() -> None:
    for command in (
        ("promtool", "check", "rules", str(RULES)),
        ("promtool", "check", "config", str(ROOT / "docker/prometheus/prometheus.yml")),
        ("promtool", "test", "rules", str(Path(__file__).with_name("prometheus_rules.yml"))),
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried_on_made_up_series() -> None:
    tried = yaml.safe_load(Path(__file__).with_name("prometheus_rules.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_prometheus_takes_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    asked = [
        target["expr"].replace("$__rate_interval", "1m")
        for board in DASHBOARDS
        for panel in panels(board)
        for target in panel["targets"]
    ]
    as_rules = [{"record": f"x:{i}", "expr": one} for i, one in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": as_rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(asked) > 50


def test_dashboards_stand_on_their_own() -> None:
    assert [board.stem for board in DASHBOARDS] == ["models", "overview", "processes"]
    for board in DASHBOARDS:
        whole = json.loads(board.read_text())
        assert whole["uid"] == f"skysail-{board.stem}"
        variables = {one["name"] for one in whole["templating"]["list"]}
        assert set(re.findall(r"\$\{?(\w+)", board.read_text())) - {"__rate_interval", "__all"} <= variables
        places = set()
        for panel in whole["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & places and at["x"] + at["w"] <= 24
            places |= cells
        assert all(panel["description"] for panel in panels(board))
        for one in whole["templating"]["list"]:
            if one["type"] == "query":
                name, matchers, label = re.fullmatch(
                    r"label_values\((\w+)(?:\{(.*)\})?, (\w+)\)", one["query"]["query"]
                ).groups()  # type: ignore[union-attr]
                assert {label, *re.findall(r"(\w+)=", matchers or "")} <= known()[name]


def test_grafana_finds_the_dashboards_where_the_page_mounts_them() -> None:
    provider = yaml.safe_load((ROOT / "docker/grafana/provisioning/dashboards/skysail.yml").read_text())
    path = provider["providers"][0]["options"]["path"]
    assert f"docker/grafana/dashboards:{path}" in (ROOT / "docs/metrics.md").read_text()
