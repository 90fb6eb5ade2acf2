"""A model server that is not ours: grpcio, doubling FP32 numbers. `doubler` is a running one."""

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from time import sleep

import grpc
import pytest

from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc


class Doubler(pb_grpc.GRPCInferenceServiceServicer):
    """y = 2 x, row by row.

    `gate` holds every answer back while it is clear; `abandoned` is set when a caller leaves meanwhile.
    `row_s` is what each row takes. `remaining_s` is what the last call had left of its deadline as it came.
    `batches` holds the rows and the metadata of every call.
    """

    def __init__(self) -> None:
        self.gate = Event()
        self.gate.set()
        self.address = ""
        self.calls = 0
        self.row_s = 0.0
        self.remaining_s: float | None = None
        self.batches: list[tuple[int, dict[str, str | bytes]]] = []
        self._one_at_a_time = Lock()
        self.abandoned = Event()

    def ModelInfer(
        self, request: pb.ModelInferRequest, context: grpc.ServicerContext
    ) -> pb.ModelInferResponse:
        self.calls += 1
        context.add_callback(lambda: self.gate.is_set() or self.abandoned.set())
        self.remaining_s = context.time_remaining()
        metadata = {pair.key: pair.value for pair in context.invocation_metadata()}
        self.batches.append((request.inputs[0].shape[0], metadata))
        self.gate.wait(30)
        if self.row_s:
            with self._one_at_a_time:
                sleep(self.row_s * request.inputs[0].shape[0])
        raw = request.raw_input_contents[0]
        numbers = struct.unpack(f"<{len(raw) // 4}f", raw)
        response = pb.ModelInferResponse(model_name=request.model_name, model_version=request.model_version)
        response.outputs.add(name="y", datatype="FP32", shape=request.inputs[0].shape)
        response.raw_output_contents.append(struct.pack(f"<{len(numbers)}f", *(2 * one for one in numbers)))
        return response


@pytest.fixture
def doubler() -> Iterator[Doubler]:
    servicer = Doubler()
    server = grpc.server(ThreadPoolExecutor(8))
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield servicer
    servicer.gate.set()
    server.stop(None).wait()
