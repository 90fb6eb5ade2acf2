"""A whole data plane in this process: model servers with threads that play models, and the services."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from skysail.native import _core
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc

COLUMNS = 4
Model = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def signature() -> _core.Signature:
    """x FP32 [-1, 4] -> y FP32 [-1, 1]."""
    return _core.Signature(
        [_core.TensorSpec("x", "FP32", [-1, COLUMNS])], [_core.TensorSpec("y", "FP32", [-1, 1])]
    )


def request_of(x: NDArray[np.float32], *, model: str = "sum", id: str = "") -> pb.ModelInferRequest:
    """A request with one raw input."""
    request = pb.ModelInferRequest(model_name=model, id=id)
    request.inputs.add(name="x", datatype="FP32", shape=list(x.shape))
    request.raw_input_contents.append(x.tobytes())
    return request


def output_of(response: pb.ModelInferResponse) -> NDArray[np.float32]:
    """The one output, in its shape."""
    raw = np.frombuffer(response.raw_output_contents[0], dtype=np.float32)
    return raw.reshape(list(response.outputs[0].shape))


def row_sums(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The model of these tests."""
    sums: NDArray[np.float32] = x.sum(axis=1, keepdims=True)
    return sums


class ModelProcess:
    """What a replica's process does, in a thread: a server, and a loop that runs the model."""

    def __init__(self, model: Model) -> None:
        self.loops = _core.Loops(1)
        self.loops.start()
        self.service = _core.ModelServer(self.loops, model="sum", version="1", signature=signature())
        self.server = _core.Server(self.loops)
        self.server.serve(self.service)
        self.address = self.server.listen("127.0.0.1:0", inner=True)
        self.server.start()
        self.batches: list[int] = []
        self._model = model
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while (task := self.service.next_task()) is not None:
            request = pb.ModelInferRequest.FromString(bytes(task.request))
            x = np.frombuffer(request.raw_input_contents[0], dtype=np.float32).reshape(-1, COLUMNS)
            self.batches.append(task.rows)
            try:
                y = self._model(x)
            except Exception as error:
                task.fail("Internal", f"{type(error).__name__}: {error}")
                continue
            response = pb.ModelInferResponse(model_name="sum", model_version="1")
            response.outputs.add(name="y", datatype="FP32", shape=list(y.shape))
            response.raw_output_contents.append(y.tobytes())
            task.respond(response.SerializeToString())

    def close(self) -> None:
        self.server.shutdown()
        self.service.close()
        self._thread.join()
        self.loops.stop()


@dataclass
class Plane:
    """A running data plane and where to call it."""

    address: str
    frontend: _core.Frontend
    batcher: _core.Batcher
    loops: _core.Loops
    replicas: list[ModelProcess] = field(default_factory=list)

    def stub(self, stack: ExitStack) -> inference_pb2_grpc.GRPCInferenceServiceStub:
        channel = stack.enter_context(grpc.insecure_channel(self.address))
        return inference_pb2_grpc.GRPCInferenceServiceStub(channel)


Start = Callable[..., Plane]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a data plane: `shape` is "fused" or "mesh"."""
    with ExitStack() as stack:

        def serve(service: _core.InferService, loops: _core.Loops, *, inner: bool) -> str:
            server = _core.Server(loops)
            server.serve(service)
            address = server.listen("127.0.0.1:0", inner=inner)
            server.start()
            stack.callback(server.shutdown)
            return address

        def new_loops() -> _core.Loops:
            loops = _core.Loops(2)
            loops.start()
            stack.callback(loops.stop)
            return loops

        def hop(
            service: _core.InferService, loops: _core.Loops, shape: str
        ) -> tuple[_core.InferService, _core.Loops]:
            if shape == "fused":
                return service, loops
            address = serve(service, loops, inner=True)
            next_loops = new_loops()
            remote = _core.Remote(next_loops)
            remote.publish([_core.Endpoint("one", address)], revision=1)
            return remote, next_loops

        def run(
            model: Model = row_sums,
            *,
            shape: str = "fused",
            replicas: int = 1,
            cache: bool = False,
            objective_s: float = 10.0,
            default_output: bytes | None = None,
        ) -> Plane:
            processes = [ModelProcess(model) for _ in range(replicas)]
            for process in processes:
                stack.callback(process.close)
            loops = new_loops()
            batcher = _core.Batcher(loops)
            endpoints = [_core.Endpoint(f"replica {i}", p.address) for i, p in enumerate(processes)]
            version = _core.ServedVersion(
                "sum",
                "1",
                digest="one",
                signature=signature(),
                objective_s=objective_s,
                replicas=endpoints,
                cache=cache,
            )
            batcher.publish([version], revision=1)
            application = _core.Application(
                "sum",
                objective_s=objective_s,
                signature=signature(),
                models=["sum"],
                default_output=default_output,
            )
            after_selector, loops = hop(batcher, loops, shape)
            selector = _core.Selector(loops, after_selector)
            selector.publish([application], [_core.Route("sum", versions=[("1", 1.0)])], revision=1)
            after_frontend, loops = hop(selector, loops, shape)
            frontend = _core.Frontend(loops, after_frontend)
            frontend.publish([application], revision=1)
            address = serve(frontend, loops, inner=False)
            return Plane(address, frontend, batcher, loops, processes)

        yield run
