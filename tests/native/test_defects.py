"""What goes wrong in other prediction caches, end to end: a real client, a batcher, a real model server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from skysail.native._core import Batcher, Endpoint, Loops, ServedVersion, Server
from skysail.native.grpc_handlers import GrpcHandlers
from skysail.proto import inference_pb2 as pb
from skysail.proto import inference_pb2_grpc as pb_grpc
from tests.native.conftest import running_server

DATA = bytes(range(16))


class Witness(pb_grpc.GRPCInferenceServiceServicer):
    """A model server that answers with all that it saw of a request, and counts what reached it."""

    def __init__(self) -> None:
        self.calls = 0

    def ModelInfer(self, request: pb.ModelInferRequest, context: Any) -> pb.ModelInferResponse:
        self.calls += 1
        tensors = [(t.name, t.datatype, list(t.shape)) for t in request.inputs]
        parameters = sorted((name, str(value)) for name, value in request.parameters.items())
        wanted = [output.name for output in request.outputs] or ["a"]
        seen = repr((request.model_name, tensors, wanted, parameters, bytes(request.raw_input_contents[0])))
        response = pb.ModelInferResponse(model_name=request.model_name, model_version=request.model_version)
        for name in wanted:
            response.outputs.add(name=name, datatype="UINT8", shape=[len(seen)])
            response.raw_output_contents.append(seen.encode())
        return response


class Bench:
    """A batcher in front of a witness, and a client in front of the batcher."""

    def __init__(self, batcher: Batcher, replica: Endpoint, witness: Witness, channel: grpc.Channel) -> None:
        self.batcher = batcher
        self.replica = replica
        self.witness = witness
        self.stub = pb_grpc.GRPCInferenceServiceStub(channel)

    def publish(self, *models: str, revision: int) -> None:
        self.batcher.publish(
            [
                ServedVersion(
                    model,
                    "1",
                    digest=f"digest of {model}",
                    signature=None,
                    objective_s=5,
                    replicas=[self.replica],
                )
                for model in models
            ],
            revision=revision,
        )

    def ask(
        self,
        *,
        model: str = "m",
        datatype: str = "FP32",
        shape: tuple[int, ...] = (4,),
        outputs: tuple[str, ...] = (),
        parameters: dict[str, str] | None = None,
        id: str = "",
        metadata: tuple[tuple[str, str], ...] = (),
    ) -> pb.ModelInferResponse:
        request = pb.ModelInferRequest(model_name=model, model_version="1", id=id)
        request.inputs.add(name="x", datatype=datatype, shape=shape)
        request.raw_input_contents.append(DATA)
        for output in outputs:
            request.outputs.add(name=output)
        for name, value in (parameters or {}).items():
            request.parameters[name].string_param = value
        response: pb.ModelInferResponse = self.stub.ModelInfer(request, timeout=5, metadata=metadata)
        return response


def seen(response: pb.ModelInferResponse) -> tuple[str, ...]:
    return tuple(content.decode() for content in response.raw_output_contents)


@pytest.fixture
def bench() -> Iterator[Bench]:
    witness = Witness()
    handlers = GrpcHandlers()
    pb_grpc.add_GRPCInferenceServiceServicer_to_server(witness, handlers.as_grpc_server())
    with ExitStack() as stack:
        replica = Endpoint("witness", stack.enter_context(running_server(handlers)))
        loops = Loops(1)
        loops.start()
        stack.callback(loops.stop)
        batcher = Batcher(loops, cache_bytes=1 << 20)
        server = Server(loops, drain_timeout_s=1)
        server.serve(batcher)
        address = server.listen("127.0.0.1:0", inner=True)
        server.start()
        stack.callback(server.shutdown)
        channel = stack.enter_context(grpc.insecure_channel(address))
        ready = Bench(batcher, replica, witness, channel)
        ready.publish("m", "n", revision=1)
        yield ready


def test_d1_same_bytes_of_another_shape_type_output_or_parameter_share_no_answer(bench: Bench) -> None:
    """D1: the cache's key hashes the bytes, not shape, datatype, requested outputs or parameters."""
    variants: list[dict[str, Any]] = [
        {},
        {"shape": (2, 2)},
        {"shape": (1, 4)},
        {"shape": (4, 1)},
        {"datatype": "INT32"},
        {"datatype": "UINT32"},
        {"outputs": ("a",)},
        {"outputs": ("b",)},
        {"outputs": ("a", "b")},
        {"outputs": ("b", "a")},
        {"parameters": {"beam": "1"}},
        {"parameters": {"beam": "2"}},
        {"parameters": {"beams": "1"}},
    ]
    first = [bench.ask(**variant) for variant in variants]
    assert bench.witness.calls == len(variants)
    again = [bench.ask(**variant) for variant in variants]
    assert bench.witness.calls == len(variants), "the second round was to come from the cache"
    assert [seen(response) for response in again] == [seen(response) for response in first]
    assert [[o.name for o in r.outputs] for r in again] == [[o.name for o in r.outputs] for r in first]


def test_d4_two_models_give_two_answers_to_one_input(bench: Bench) -> None:
    """D4: the cache's key omits the model."""
    for _ in range(2):
        assert "'m'" in seen(bench.ask(model="m"))[0]
        assert "'n'" in seen(bench.ask(model="n"))[0]
    assert bench.witness.calls == 2


def test_d5_ids_contexts_and_trace_headers_do_not_change_the_hit_rate(bench: Bench) -> None:
    """D5: the cache's key includes request ids and headers."""
    for i in range(20):
        response = bench.ask(
            id=f"call-{i}",
            parameters={"skysail.context": f"user-{i}"},
            metadata=(
                ("traceparent", f"00-{i + 1:032x}-{i + 1:016x}-01"),
                ("tracestate", f"vendor={i}"),
                ("x-request-id", str(i)),
            ),
        )
        assert response.id == f"call-{i}"
        assert "skysail." not in seen(response)[0]
    assert bench.witness.calls == 1


def test_a_version_left_out_and_published_again_does_not_answer_from_before(bench: Bench) -> None:
    """D3: what is loaded anew leaves old answers in the cache."""
    bench.ask()
    bench.publish("n", revision=2)
    bench.publish("m", "n", revision=3)
    bench.ask()
    assert bench.witness.calls == 2
