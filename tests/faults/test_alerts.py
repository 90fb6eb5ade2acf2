"""A real Prometheus finds the mesh, scrapes it, and raises an alert when something breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from skysail.control.ports import settle
from tests.docker.test_monitoring import DASHBOARDS, RULES, panels
from tests.e2e.conftest import until
from tests.faults.conftest import MODEL, Faults, steady

#: What a calm mesh whose model is not cached may have nothing to show for.
EMPTY_WHEN_CALM = {
    ("overview", "Errors by reason"),
    ("overview", "Defaults by reason"),
    ("models", "Errors by reason"),
    ("models", "Evictions"),
    ("processes", "Starts"),
    ("processes", "Ends in a row"),
    ("processes", "Metrics left out"),
}


class Prometheus:
    """One that scrapes the mesh each second, with the files of docker/prometheus."""

    def __init__(self, folder: Path, targets: str) -> None:
        config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(RULES)]
        for discovery in config["scrape_configs"][0]["http_sd_configs"]:
            discovery |= {"url": f"http://{targets}/targets", "refresh_interval": "1s"}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.address = settle("127.0.0.1:0", option="port")
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                (
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self.address}",
                ),
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)

    def ask(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            return None

    def up(self) -> dict[str, str]:
        """The role of each process that was scraped, by its id."""
        found = (self.ask("targets", state="active") or {"activeTargets": []})["activeTargets"]
        return {one["labels"]["id"]: one["labels"]["role"] for one in found if one["health"] == "up"}

    def replicas(self) -> set[str]:
        """The ids of those that were scraped."""
        return {id for id, role in self.up().items() if role == "model-server"}

    def series(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def alerts(self) -> dict[str, tuple[str, dict[str, str]]]:
        """State and labels of each alert that fires or may soon."""
        return {
            one["labels"]["alertname"]: (one["state"], one["labels"]) for one in self.ask("alerts")["alerts"]
        }

    def broken_rules(self) -> list[str]:
        """Rules that were evaluated and could not be; and those that have yet to be."""
        return [
            f"{rule['name']}: {rule.get('lastError', rule['health'])}"
            for group in self.ask("rules")["groups"]
            for rule in group["rules"]
            if rule["health"] != "ok"
        ]


@pytest.fixture
def prometheus(faults: Faults, tmp_path: Path) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path, faults.mesh.json("status")["metrics"])
    yield running
    running.stop()


def test_prometheus_follows_the_mesh_and_tells_of_a_replica_that_was_lost(
    faults: Faults, prometheus: Prometheus
) -> None:
    with faults.load(rate_per_s=100) as load:
        services = {"supervisor", "etcd", "frontend", "selector", "batcher"}
        until(lambda: set(prometheus.up().values()) == services | {"model-server"})
        until(lambda: len(prometheus.replicas()) == 2)
        replicas = prometheus.replicas()

        until(lambda: prometheus.broken_rules() == [])
        until(lambda: bool(prometheus.series("skysail:request_duration_seconds:p99_5m > 0")))
        assert prometheus.alerts() == {}
        until(lambda: silent(prometheus) <= EMPTY_WHEN_CALM)  # a rate needs two samples

        pid = faults.replica(0)
        with faults.misbehaving(pid, "slow 0.1"):
            steady(load, 20)
            os.kill(pid, signal.SIGKILL)
        until(lambda: prometheus.alerts().get("SkysailReplicaLost", ("",))[0] == "firing")
        labels = prometheus.alerts()["SkysailReplicaLost"][1]
        assert (labels["model"], labels["version"], labels["replica"]) == (MODEL, "1", "0")

        until(lambda: faults.restarted(f"{MODEL}@1@0", pid))
        # Its successor is scraped in its place.
        until(lambda: len(prometheus.replicas()) == len(prometheus.replicas() | replicas) - 1 == 2)

        with faults.misbehaving(faults.replica(1), "raise"):
            until(lambda: prometheus.alerts().get("SkysailCallsFail", ("",))[0] == "pending")
    until(faults.whole)


def silent(prometheus: Prometheus) -> set[tuple[str, str]]:
    """The panels of the dashboards that have nothing to show; each of their expressions is asked."""
    found = set()
    for board in DASHBOARDS:
        for panel in panels(board):
            asked = [target["expr"] for target in panel["targets"]]
            for variable in ("application", "model", "version", "role"):
                asked = [one.replace(f"${variable}", ".*") for one in asked]
            if not any(prometheus.series(one.replace("$__rate_interval", "1m")) for one in asked):
                found.add((board.stem, panel["title"]))
    return found
