"""What a model's thread holds of a call."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from queue import Empty, SimpleQueue

import pytest

from skysail.native._core import Caller, InferTask, Loops, ModelServer, Signature, TensorSpec
from skysail.proto import inference_pb2 as pb

TIMEOUT_S = 10


class Asked:
    """A model server, its callers, and what they were answered."""

    def __init__(self, loops: Loops, server: ModelServer) -> None:
        self._server = server
        self._caller = Caller(loops, server)
        self._answers: SimpleQueue[str] = SimpleQueue()
        request = pb.ModelInferRequest(model_name="m")
        request.inputs.add(name="x", datatype="FP64", shape=[1, 1])
        request.raw_input_contents.append(struct.pack("<d", 3))
        self.message = request.SerializeToString()

    def task(self) -> InferTask:
        self._caller.infer(self.message, lambda *answer: self._answers.put(answer[2]))
        task = self._server.next_task(TIMEOUT_S)
        assert task is not None
        return task

    def answer(self, timeout_s: float = TIMEOUT_S) -> str:
        return self._answers.get(timeout=timeout_s)


@pytest.fixture
def asked() -> Iterator[Asked]:
    loops = Loops()
    specs = [TensorSpec("x", "FP64", [-1, 1])], [TensorSpec("y", "FP64", [-1, 1])]
    server = ModelServer(loops, model="m", version="1", signature=Signature(*specs))
    loops.start()
    yield Asked(loops, server)
    server.close()
    loops.stop()


def test_a_task_that_is_dropped_fails_although_its_request_was_read(asked: Asked) -> None:
    task = asked.task()
    assert bytes(task.request) == asked.message
    del task
    assert asked.answer() == "the model gave no answer"


def test_a_view_of_the_request_keeps_its_bytes(asked: Asked) -> None:
    part = asked.task().request[2:]
    with pytest.raises(Empty):
        asked.answer(0.05)
    assert part.readonly
    assert bytes(part) == asked.message[2:]
    del part
    assert asked.answer() == "the model gave no answer"
