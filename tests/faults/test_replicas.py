"""A replica dies, hangs, raises, lies, dawdles or eats memory; callers of the model barely notice."""

from __future__ import annotations

import http.client
import os
import signal
import time

import grpc

from skysail.proto import inference_pb2, inference_pb2_grpc
from tests.e2e.conftest import until
from tests.faults.conftest import HUNG_AFTER_S, MODEL, NICE, OPEN_FILES, Faults, check, steady, stopped

#: Within which a replica that does not answer is out of rotation.
OUT_OF_ROTATION_S = 2.0


def test_killed_replica_fails_no_call_while_another_is_up(faults: Faults) -> None:
    pid = faults.replica(0)
    with faults.load() as load:
        steady(load)
        os.kill(pid, signal.SIGKILL)
        until(lambda: faults.restarted("sum@1@0", pid))
        steady(load, 200)
    check(load)
    assert faults.units()["sum@1@0"]["failures"] >= 1
    until(faults.whole)


def test_terminated_replica_drains_and_fails_no_call(faults: Faults) -> None:
    pid = faults.replica(1)
    with faults.load() as load:
        steady(load)
        os.kill(pid, signal.SIGTERM)
        until(lambda: faults.restarted("sum@1@1", pid))
        steady(load, 200)
    check(load)
    until(faults.whole)


def test_stopped_replica_is_out_of_rotation_within_two_seconds(faults: Faults) -> None:
    with faults.load() as load:
        steady(load)
        began_s = time.monotonic()
        with stopped(faults.replica(0)):
            until(lambda: bool(load.sent(began_s + OUT_OF_ROTATION_S)))
            steady(load, 400)
        steady(load, 200)
    check(load)
    until(faults.whole)


def test_hung_model_is_out_of_rotation_within_two_seconds_and_back_when_it_answers(faults: Faults) -> None:
    pid = faults.replica(0)
    with faults.load() as load:
        steady(load)
        began_s = time.monotonic()
        with faults.misbehaving(pid, "hang"):
            until(lambda: bool(load.sent(began_s + OUT_OF_ROTATION_S)))
            steady(load, 200)
            assert faults.version()["ready"] == 1
        hung_s = time.monotonic() - began_s
        until(faults.whole)
        steady(load, 200)
    check(load)
    # On a very busy machine it hangs for longer than it may, and is replaced.
    assert hung_s > HUNG_AFTER_S or faults.replica(0) == pid


def test_model_that_never_returns_is_replaced_and_its_log_says_where_it_was(faults: Faults) -> None:
    """In C, with the interpreter's lock held: nothing of Python's runs in that process any more."""
    pid = faults.replica(0)
    with faults.load(rate_per_s=100) as load:
        steady(load, 50)
        with faults.misbehaving(pid, "hold"):
            until(lambda: faults.restarted("sum@1@0", pid))
        until(faults.whole)
        steady(load, 50)
    check(load)
    assert load.failures() == []
    assert "its model has not returned for" in faults.ended("sum@1@0")
    log = faults.mesh.ok("logs", "sum", "-n", "200")
    assert "Fatal Python error: Aborted" in log
    assert "in predict" in log


def test_stopped_replicas_that_nobody_calls_are_not_ready_within_two_seconds(faults: Faults) -> None:
    """Liveness apart from readiness: the frontend lives and is ready, the model is not."""

    def ready() -> bool:
        with grpc.insecure_channel(faults.mesh.grpc) as channel:
            stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)
            return stub.ModelReady(inference_pb2.ModelReadyRequest(name=MODEL), timeout=5).ready

    def get(path: str) -> int:
        connection = http.client.HTTPConnection(faults.mesh.http, timeout=5)
        connection.request("GET", path)
        status = connection.getresponse().status
        connection.close()
        return status

    assert ready() and get(f"/v2/models/{MODEL}/ready") == 200
    with stopped(faults.replica(0)):
        time.sleep(OUT_OF_ROTATION_S)
        assert ready()
        assert faults.version()["ready"] == 1
        with stopped(faults.replica(1)):
            time.sleep(OUT_OF_ROTATION_S)
            assert not ready()
            assert get(f"/v2/models/{MODEL}/ready") == 503
            assert get("/v2/health/live") == get("/v2/health/ready") == 200
    until(ready)
    assert get(f"/v2/models/{MODEL}/ready") == 200


def test_model_that_raises_fails_its_own_batches_with_its_words(faults: Faults) -> None:
    pid = faults.replica(0)
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(pid, "raise"):
            until(lambda: load.statuses().get("INTERNAL", 0) > 20)
        lifted_s = time.monotonic()
        steady(load, 200)
    check(load, "INTERNAL")
    assert all("ValueError: told to raise" in one.text for one in load.failures())
    assert load.answered() > len(load.failures())
    assert load.recovered_s() < lifted_s
    assert faults.replica(0) == pid


def test_model_that_returns_wrong_rows_is_never_believed(faults: Faults) -> None:
    pid = faults.replica(1)
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(pid, "rows"):
            until(lambda: load.statuses().get("INTERNAL", 0) > 20)
        lifted_s = time.monotonic()
        steady(load, 200)
    check(load, "INTERNAL")
    assert all("the model broke its signature: output 'y' must have" in one.text for one in load.failures())
    assert load.recovered_s() < lifted_s
    assert faults.replica(1) == pid


def test_slow_replica_takes_the_calls_that_it_can_answer_in_time(faults: Faults) -> None:
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(faults.replica(0), "slow 0.2"):
            steady(load, 600)
        steady(load, 200)
    check(load)
    until(faults.whole)


def test_leaking_replica_is_replaced_before_it_takes_the_machine_and_fails_no_call(faults: Faults) -> None:
    pid = faults.replica(0)
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(pid, "leak 4"):
            until(lambda: faults.restarted("sum@1@0", pid))
        until(faults.whole)
        steady(load, 200)
    check(load)
    assert "its limit is 400 MiB" in faults.ended("sum@1@0")


def test_replica_that_leaks_files_is_replaced_and_its_priority_is_low(faults: Faults) -> None:
    pid = faults.replica(1)
    low = min(19, os.getpriority(os.PRIO_PROCESS, faults.supervisor()) + NICE)
    threads = [int(one) for one in os.listdir(f"/proc/{pid}/task")]
    assert {os.getpriority(os.PRIO_PROCESS, one) for one in threads} == {low}
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(pid, "open 1"):
            until(lambda: faults.restarted("sum@1@1", pid))
        lifted_s = time.monotonic()
        until(faults.whole)
        steady(load, 200)
    check(load, "INTERNAL")
    assert all("Too many open files" in one.text for one in load.failures())
    assert load.recovered_s() < lifted_s + 1.0
    assert f"open files, its limit is {OPEN_FILES}" in faults.ended("sum@1@1")


def test_call_that_needs_more_memory_than_there_is_fails_alone(faults: Faults) -> None:
    pid = faults.replica(1)
    with faults.load() as load:
        steady(load)
        with faults.misbehaving(pid, "grab 4096"):
            until(lambda: load.statuses().get("INTERNAL", 0) > 5)
        lifted_s = time.monotonic()
        steady(load, 200)
    check(load, "INTERNAL")
    assert all("MemoryError" in one.text for one in load.failures())
    assert load.recovered_s() < lifted_s
    assert faults.replica(1) == pid


def test_replica_that_stays_stopped_is_killed_and_replaced(faults: Faults) -> None:
    pid = faults.replica(0)
    with faults.load(rate_per_s=50) as load:
        steady(load, 20)
        with stopped(pid):
            until(lambda: faults.restarted("sum@1@0", pid))
        until(faults.whole)
    check(load)
    assert "it has not answered for" in faults.ended("sum@1@0")
