"""What goes wrong in other serving systems (docs/defects.md), on a whole mesh with real clients."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from skysail.client import Client
from tests.e2e.conftest import Mesh, until
from tests.e2e.test_commands import constant
from tests.e2e.test_faults import Load

CALLERS = 12


def post(mesh: Mesh, first: float) -> tuple[int, dict[str, object]]:
    """The status and the body of a prediction over HTTP, of a row that begins with `first`."""
    row = np.zeros((1, 16))
    row[0, 0] = first
    body = {"inputs": [{"name": "x", "shape": [1, 16], "datatype": "FP32", "data": row.tolist()}]}
    call = urllib.request.Request(
        f"http://{mesh.http}/v2/models/probe/infer", json.dumps(body).encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(call, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_model_error_is_an_error_over_http_for_each_caller(either: Mesh) -> None:
    """D14: the errors of a model arrive under a status of success."""
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda _: post(either, -1), range(CALLERS)))
    for status, body in answers:
        assert (status, list(body)) == (500, ["error"])
        assert "ValueError: a row begins with -1" in str(body["error"])
    status, body = post(either, 7)
    assert status == 200
    assert body["outputs"] == [{"name": "y", "shape": [1], "datatype": "FP32", "data": [7.0]}]


def test_version_that_loads_slowly_takes_traffic_only_when_warm(either: Mesh, tmp_path: Path) -> None:
    """D20: the first queries of a new version wait for it to load; it takes longer than their objective."""
    either.ok("deploy", "thaw", constant(tmp_path, "1"))
    with Client(either.grpc) as client, Load(either.grpc, callers=2, name="thaw", width=1) as load:
        until(lambda: load.answers > 50)
        either.ok("deploy", "thaw", constant(tmp_path, "2", "import time; time.sleep(2)"))
        assert client.predict("thaw", [[1]]).value.tolist() == [2.0]
        before = load.answers
        until(lambda: load.answers > before + 50)
    assert load.failures == []
    assert load.values == {1.0, 2.0}
