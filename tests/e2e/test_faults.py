"""Things die, raise and lie; callers get answers or the fitting error, and the next call is served."""

from __future__ import annotations

import os
import signal
import threading
import time

import grpc
import numpy as np
import pytest

from skysail.client import CallFailed, Client, ModelFailed
from skysail.proto import inference_pb2_grpc
from tests.e2e.conftest import Mesh, until
from tests.e2e.test_clients import request

ROW = np.arange(16, dtype=np.float32)[np.newaxis]


def row(first: float) -> np.ndarray:
    changed = ROW.copy()
    changed[0, 0] = first
    return changed


class Load:
    """Callers that call one after the other until told to stop; counts answers, keeps every failure."""

    def __init__(self, address: str, callers: int, name: str = "probe", width: int = 16) -> None:
        self.answers = 0
        self.values: set[float] = set()
        self._name = name
        self._width = width
        self.failures: list[CallFailed] = []
        self._stop = threading.Event()
        self._client = Client(address)
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(callers)]

    def _run(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not self._stop.is_set():
            x = rng.random((1, self._width), np.float32)
            try:
                y = self._client.predict(self._name, {"x": x}).value
            except CallFailed as error:
                self.failures.append(error)
                continue
            self.answers += 1
            if self._name == "probe":
                np.testing.assert_allclose(y, x.sum(axis=1), rtol=1e-5)
            else:
                self.values.add(y.item())

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.close()


def test_model_that_raises_fails_its_batch_alone(either: Mesh) -> None:
    with Client(either.grpc) as client:
        with pytest.raises(ModelFailed, match="ValueError: a row begins with -1"):
            client.predict("probe", {"x": row(-1)})
        assert client.predict("probe", {"x": ROW}).value == ROW.sum()


def test_model_that_returns_too_many_rows_is_named(either: Mesh) -> None:
    with Client(either.grpc) as client:
        with pytest.raises(ModelFailed, match="output 'y' must have 1 rows, as the inputs have, got 2"):
            client.predict("probe", {"x": row(-2)})
        assert client.predict("probe", {"x": ROW}).value == ROW.sum()


def test_no_call_fails_when_a_replica_is_killed_under_load(either: Mesh) -> None:
    victim = either.processes()["probe@1@0"]
    with Load(either.grpc, callers=8) as load:
        until(lambda: load.answers > 200)
        os.kill(victim, signal.SIGKILL)
        after = load.answers
        until(lambda: load.answers > after + 500)
        until(lambda: either.processes()["probe@1@0"] not in (victim, None))
        time.sleep(0.5)
    assert load.failures == []
    until(lambda: ready(either) == 2)


def test_no_call_fails_when_replicas_come_and_go_under_load(either: Mesh) -> None:
    with Load(either.grpc, callers=8) as load:
        for replicas in ("1", "3", "2"):
            either.ok("scale", "probe", replicas)
            before = load.answers
            until(lambda before=before: load.answers > before + 100)  # type: ignore[misc]
    assert load.failures == []
    until(lambda: ready(either) == 2)


def test_request_that_kills_its_replica_does_not_kill_them_all(either: Mesh) -> None:
    before = either.processes()
    with Client(either.grpc) as client:
        with pytest.raises(CallFailed):
            client.predict("probe", {"x": row(-3)}, timeout_s=5)
        until(lambda: answers(client))
    until(lambda: ready(either) == 2)
    assert either.processes()["digits@1@0"] == before["digits@1@0"]


def ready(mesh: Mesh) -> int:
    versions = mesh.json("status")["versions"]
    found: int = next(one["ready"] for one in versions if one["model"] == "probe")
    return found


def answers(client: Client) -> bool:
    try:
        return bool(client.predict("probe", {"x": ROW}, timeout_s=5).value == ROW.sum())
    except CallFailed:
        return False


@pytest.mark.parametrize("role", ["batcher", "selector", "frontend"])
def test_killed_service_comes_back_at_its_place(mesh: Mesh, role: str) -> None:
    pid = mesh.processes()[role]
    os.kill(pid, signal.SIGKILL)
    with Client(mesh.grpc) as client:
        until(lambda: mesh.processes().get(role) not in (pid, None))
        until(lambda: answers(client))
        assert client.predict("probe", {"x": ROW}).value == ROW.sum()


def test_predictions_go_on_while_etcd_is_away(mesh: Mesh) -> None:
    etcd = mesh.processes()["etcd"]
    with Client(mesh.grpc) as client:
        os.kill(etcd, signal.SIGSTOP)
        try:
            for _ in range(20):
                assert client.predict("probe", {"x": ROW}).value == ROW.sum()
            refused = mesh.cli("scale", "probe", "1")
            assert refused.returncode == 1
            assert "etcd" in refused.stderr and "Traceback" not in refused.stderr
        finally:
            os.kill(etcd, signal.SIGCONT)
        until(lambda: answers(client))


def test_caller_that_leaves_does_not_disturb_the_others(either: Mesh) -> None:
    with grpc.insecure_channel(either.grpc) as channel, Load(either.grpc, callers=4) as load:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
        until(lambda: load.answers > 50)
        for pause_s in np.linspace(0, 0.01, 50):
            call = stub.ModelInfer.future(request(ROW, "probe"))
            time.sleep(pause_s)
            call.cancel()
        before = load.answers
        until(lambda: load.answers > before + 50)
    assert load.failures == []


def test_frontend_says_when_it_is_ready(either: Mesh) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(either.grpc) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
