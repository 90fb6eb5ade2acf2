"""The whole path through Python's face of it, with real clients, servers and model threads."""

from __future__ import annotations

import queue
import random
import threading
import time
from contextlib import ExitStack

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from skysail.native import _core
from skysail.proto import inference_pb2 as pb
from tests.services.conftest import COLUMNS, Start, output_of, request_of, row_sums, signature

SHAPES = ["fused", "mesh"]


def rows(count: int, *, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).integers(0, 1000, (count, COLUMNS)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_answer_names_what_answered(start: Start, shape: str) -> None:
    plane = start(shape=shape)
    with ExitStack() as stack:
        x = rows(3)
        response = plane.stub(stack).ModelInfer(request_of(x, id="call 7"), timeout=10)
    np.testing.assert_array_equal(output_of(response), row_sums(x))
    assert (response.model_name, response.model_version, response.id) == ("sum", "1", "call 7")
    assert response.parameters["skysail.models"].string_param == "sum"
    assert len(response.parameters["skysail.prediction"].string_param) == 32


@pytest.mark.parametrize("shape", SHAPES)
def test_random_sizes_timings_and_cancels_never_mix_rows(start: Start, shape: str) -> None:
    def jitter(x: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(float(x[0, 0]) % 3 / 1000)
        return row_sums(x)

    plane = start(jitter, shape=shape, replicas=2)
    wrong: list[str] = []
    cancelled = 0

    with ExitStack() as stack:
        stub = plane.stub(stack)

        def caller(seed: int) -> None:
            nonlocal cancelled
            chance = random.Random(seed)
            for turn in range(40):
                x = rows(chance.randint(1, 6), seed=seed * 1000 + turn)
                call = stub.ModelInfer.future(request_of(x), timeout=20)
                if chance.random() < 0.2:
                    time.sleep(chance.random() / 500)
                    call.cancel()
                    cancelled += 1
                    continue
                if not np.array_equal(output_of(call.result()), row_sums(x)):
                    wrong.append(f"caller {seed}, turn {turn}")

        threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert cancelled > 0
    batching = plane.batcher.stats()["models"]["sum"]["1"]["batching"]
    assert max(max(p.batches) for p in plane.replicas) > 6, "callers must have shared batches"
    assert batching["queued"] == 0


@pytest.mark.parametrize("shape", SHAPES)
def test_bad_requests_are_told_precisely_and_the_next_is_served(start: Start, shape: str) -> None:
    plane = start(shape=shape)
    wrong_name = request_of(rows(1))
    wrong_name.inputs[0].name = "z"
    wrong_type = request_of(rows(1))
    wrong_type.inputs[0].datatype = "INT32"
    short = request_of(rows(2))
    short.raw_input_contents[0] = short.raw_input_contents[0][:-1]
    empty = request_of(rows(0))
    cases = [
        (request_of(rows(1), model="nobody"), grpc.StatusCode.NOT_FOUND, "'nobody'"),
        (wrong_name, grpc.StatusCode.INVALID_ARGUMENT, "'z'"),
        (wrong_type, grpc.StatusCode.INVALID_ARGUMENT, "INT32"),
        (short, grpc.StatusCode.INVALID_ARGUMENT, "'x'"),
        (empty, grpc.StatusCode.INVALID_ARGUMENT, "'x'"),
    ]
    with ExitStack() as stack:
        stub = plane.stub(stack)
        for request, code, words in cases:
            with pytest.raises(grpc.RpcError) as caught:
                stub.ModelInfer(request, timeout=10)
            assert caught.value.code() == code
            assert words in str(caught.value.details())
        x = rows(1)
        np.testing.assert_array_equal(output_of(stub.ModelInfer(request_of(x))), row_sums(x))
    assert plane.replicas[0].batches == [1], "the model saw only the good one"


@pytest.mark.parametrize("shape", SHAPES)
def test_model_that_raises_answers_with_its_text_and_serves_on(start: Start, shape: str) -> None:
    """D11: an exception in user code ends the container's loop, and no error reaches the callers."""

    def moody(x: NDArray[np.float32]) -> NDArray[np.float32]:
        if x[0, 0] < 0:
            raise ValueError("no negative numbers")
        return row_sums(x)

    plane = start(moody, shape=shape)
    with ExitStack() as stack:
        stub = plane.stub(stack)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request_of(-rows(1) - 1), timeout=10)
        assert caught.value.code() == grpc.StatusCode.INTERNAL
        assert caught.value.details() == "ValueError: no negative numbers"
        assert output_of(stub.ModelInfer(request_of(rows(1)), timeout=10)).shape == (1, 1)


def test_model_that_breaks_its_signature_is_told_so(start: Start) -> None:
    plane = start(lambda x: row_sums(x)[:-1])
    with ExitStack() as stack, pytest.raises(grpc.RpcError) as caught:
        plane.stub(stack).ModelInfer(request_of(rows(3)), timeout=10)
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "'y'" in str(caught.value.details())


@pytest.mark.parametrize("shape", SHAPES)
def test_default_output_comes_inside_the_objective_marked(start: Start, shape: str) -> None:
    default = pb.ModelInferResponse()
    default.outputs.add(name="y", datatype="FP32", shape=[1, 1])
    default.raw_output_contents.append(np.array([-1], dtype=np.float32).tobytes())

    def slow(x: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.5)
        return row_sums(x)

    plane = start(slow, shape=shape, objective_s=0.15, default_output=default.SerializeToString())
    with ExitStack() as stack:
        stub = plane.stub(stack)
        began = time.monotonic()
        response = stub.ModelInfer(request_of(rows(2)), timeout=5)
        assert time.monotonic() - began < 0.4
    assert response.parameters["skysail.default"].bool_param
    assert response.parameters["skysail.reason"].string_param
    assert output_of(response).tolist() == [[-1.0], [-1.0]]


@pytest.mark.parametrize("shape", SHAPES)
def test_repeated_query_is_a_hit_whatever_its_id(start: Start, shape: str) -> None:
    plane = start(shape=shape, cache=True)
    with ExitStack() as stack:
        stub = plane.stub(stack)
        outcomes = []
        for turn in range(3):
            response = stub.ModelInfer(request_of(rows(2), id=f"call {turn}"), timeout=10)
            outcomes.append(response.parameters["skysail.cache"].string_param)
    assert outcomes == ["miss", "hit", "hit"]
    assert plane.replicas[0].batches == [2]


def test_stream_answers_every_request_and_goes_on_after_an_error(start: Start) -> None:
    plane = start()
    requests = [request_of(rows(1), id=str(i), model="sum" if i % 3 else "nobody") for i in range(9)]
    with ExitStack() as stack:
        answers = list(plane.stub(stack).ModelStreamInfer(iter(requests), timeout=20))
    failed = {a.infer_response.id for a in answers if a.error_message}
    served = {a.infer_response.id for a in answers if not a.error_message}
    assert failed == {"0", "3", "6"}
    assert served == {"1", "2", "4", "5", "7", "8"}


def test_caller_in_the_process_gets_what_a_grpc_caller_gets(start: Start) -> None:
    plane = start()
    caller = _core.Caller(plane.loops, plane.frontend)
    answers: queue.Queue[tuple[bytes | None, str, str, float]] = queue.Queue()
    x = rows(2)
    caller.infer(request_of(x).SerializeToString(), lambda *answer: answers.put(answer), timeout_s=10)
    response, kind, _, _ = answers.get(timeout=10)
    assert response is not None and kind == ""
    np.testing.assert_array_equal(output_of(pb.ModelInferResponse.FromString(response)), row_sums(x))
    caller.infer(b"\xff", lambda *answer: answers.put(answer))
    response, kind, message, _ = answers.get(timeout=10)
    assert response is None
    assert kind == "InvalidArgument" and message


def test_a_call_after_the_loops_have_stopped_is_told_so_at_once() -> None:
    loops = _core.Loops(1)
    loops.start()
    server = _core.ModelServer(loops, model="sum", version="1", signature=signature())
    caller = _core.Caller(loops, server)
    loops.stop()
    answers: queue.Queue[tuple[bytes | None, str, str, float]] = queue.Queue()
    caller.infer(request_of(rows(1)).SerializeToString(), lambda *answer: answers.put(answer))
    response, kind, message, _ = answers.get(timeout=10)
    assert (response, kind) == (None, "Unavailable")
    assert "stopped" in message


def test_task_is_answered_once_and_a_dropped_one_fails() -> None:
    loops = _core.Loops(1)
    loops.start()
    server = _core.ModelServer(loops, model="sum", version="1", signature=signature())
    caller = _core.Caller(loops, server)
    answers: queue.Queue[tuple[bytes | None, str, str, float]] = queue.Queue()
    request = request_of(rows(2)).SerializeToString()
    good = pb.ModelInferResponse()
    good.outputs.add(name="y", datatype="FP32", shape=[2, 1])
    good.raw_output_contents.append(np.array([1, 2], dtype=np.float32).tobytes())

    caller.infer(request, lambda *answer: answers.put(answer), timeout_s=10)
    task = server.next_task(timeout_s=10)
    assert task is not None
    assert task.rows == 2
    assert 0 < task.remaining_s <= 10
    assert bytes(task.request).endswith(rows(2).tobytes())
    task.respond(good.SerializeToString())
    assert answers.get(timeout=10)[1] == ""
    with pytest.raises(_core.NativeError):
        task.fail("Internal", "too late")

    caller.infer(request, lambda *answer: answers.put(answer))
    task = server.next_task(timeout_s=10)
    del task
    assert answers.get(timeout=10)[1] == "Internal"

    cancel = caller.infer(request, lambda *answer: answers.put(answer))
    task = server.next_task(timeout_s=10)
    assert task is not None
    cancel()
    assert answers.get(timeout=10)[1] == "Cancelled"
    assert task.cancelled
    task.respond(good.SerializeToString())

    assert server.next_task(timeout_s=0.0) is None
    server.close()
    assert server.next_task() is None
    loops.stop()
