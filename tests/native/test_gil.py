"""The data plane goes on while Python does not."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from skysail.native._core import Batcher, Endpoint, Loops, ServedVersion, Server
from skysail.native.grpc_handlers import GrpcHandlers
from skysail.proto import inference_pb2_grpc as pb_grpc
from tests.native.conftest import running_server
from tests.native.test_defects import Witness

HELD_S = 1.5

# Asks once, then waits for a line, then asks for half a second and prints how often it was answered.
CALLER = """
import sys, time
import grpc
from skysail.proto import inference_pb2, inference_pb2_grpc
stub = inference_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(sys.argv[1]))
request = inference_pb2.ModelInferRequest(model_name="m", model_version="1")
request.inputs.add(name="x", datatype="FP32", shape=[4])
request.raw_input_contents.append(bytes(16))
stub.ModelInfer(request, timeout=5)
print("ready", flush=True)
sys.stdin.readline()
started, count = time.monotonic(), 0
while time.monotonic() < started + 0.5:
    stub.ModelInfer(request, timeout=5)
    count += 1
print(count, time.monotonic() - started, flush=True)
"""


@pytest.fixture
def address() -> Iterator[str]:
    handlers = GrpcHandlers()
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(Witness(), handlers.as_grpc_server())
    with ExitStack() as stack:
        replica = Endpoint("witness", stack.enter_context(running_server(handlers)))
        loops = Loops(1)
        loops.start()
        stack.callback(loops.stop)
        batcher = Batcher(loops, cache_bytes=1 << 20)
        server = Server(loops, drain_timeout_s=1)
        server.serve(batcher)
        bound = server.listen("127.0.0.1:0", inner=True)
        server.start()
        stack.callback(server.shutdown)
        batcher.publish(
            [ServedVersion("m", "1", digest="d", signature=None, objective_s=5, replicas=[replica])],
            revision=1,
        )
        yield bound


def test_cached_answers_come_while_another_thread_holds_the_gil(address: str) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with caller:
        assert caller.stdin is not None and caller.stdout is not None
        assert caller.stdout.readline() == "ready\n"
        caller.stdin.write("\n")
        caller.stdin.flush()
        for _ in range(2):
            ctypes.PyDLL(None).usleep(int(HELD_S / 2 * 1e6))  # PyDLL: called with the GIL held
        count, took_s = caller.stdout.readline().split()
    assert int(count) > 20
    assert float(took_s) < HELD_S / 2, "a call waited for the GIL to be free"
