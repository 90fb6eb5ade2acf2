"""What a model sees of the deadline and the leaving of its callers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from math import inf
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from skysail.control.signature_text import parse_signature
from skysail.model_servers import current_call
from skysail.model_servers.runner import ModelRunner
from skysail.native._core import Caller, Loops, ModelServer, Signature, TensorSpec
from skysail.proto import inference_pb2 as pb


class Watching:
    """A model that reports the deadline, then waits until it may answer or its callers have left."""

    signature = parse_signature(["x:FP32:[-1,1]"], ["y:FP32:[-1,1]"])

    def __init__(self) -> None:
        self.remaining_s: SimpleQueue[float] = SimpleQueue()
        self.left: SimpleQueue[bool] = SimpleQueue()
        self.go_on = threading.Event()

    def predict(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, object]:
        self.remaining_s.put(current_call.remaining_s())
        while not current_call.cancelled() and not self.go_on.wait(0.01):
            pass
        self.left.put(current_call.cancelled())
        return {"y": inputs["x"]}

    def example(self) -> None:
        return None


@pytest.fixture
def model() -> Watching:
    return Watching()


@pytest.fixture
def caller(model: Watching) -> Iterator[Caller]:
    loops = Loops()
    native = Signature([TensorSpec("x", "FP32", [-1, 1])], [TensorSpec("y", "FP32", [-1, 1])])
    server = ModelServer(loops, model="m", version="1", signature=native)
    runner = ModelRunner(server, model, path=Path("m.py"))
    loops.start()
    runner.start()
    yield Caller(loops, server)
    model.go_on.set()
    server.close()
    assert runner.join(10)
    loops.stop()


def request() -> bytes:
    message = pb.ModelInferRequest(model_name="m")
    message.inputs.add(name="x", datatype="FP32", shape=[1, 1])
    message.raw_input_contents.append(np.zeros(1, np.float32).tobytes())
    return message.SerializeToString()


def test_a_model_knows_how_long_its_callers_wait(model: Watching, caller: Caller) -> None:
    model.go_on.set()
    caller.infer(request(), lambda *answer: None, timeout_s=30)
    assert 0 < model.remaining_s.get(timeout=10) <= 30
    caller.infer(request(), lambda *answer: None)
    assert model.remaining_s.get(timeout=10) == inf


def test_a_model_sees_that_every_caller_has_left(model: Watching, caller: Caller) -> None:
    cancel = caller.infer(request(), lambda *answer: None, timeout_s=30)
    model.remaining_s.get(timeout=10)
    cancel()
    assert model.left.get(timeout=10) is True


def test_outside_of_a_call_there_is_no_deadline() -> None:
    assert current_call.remaining_s() == inf
    assert current_call.cancelled() is False
