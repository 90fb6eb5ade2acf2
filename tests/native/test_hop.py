"""skysail.v1.Hop as its written contract says, with grpcio on the other side of the stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from queue import SimpleQueue

import grpc
import pytest

from skysail.native._core import Loops, ModelServer, Server, Signature, TensorSpec
from skysail.proto import hop_pb2, hop_pb2_grpc
from skysail.proto import inference_pb2 as pb

TIMEOUT_S = 10


class Peer:
    """A model server that answers when the test says so, and one stream of calls to it."""

    def __init__(self, server: ModelServer, channel: grpc.Channel) -> None:
        self.server = server
        self._requests: SimpleQueue[hop_pb2.HopRequest | None] = SimpleQueue()
        self.answers = hop_pb2_grpc.HopStub(channel).Infer(iter(self._requests.get, None), timeout=TIMEOUT_S)

    def send(self, call_id: int, number: float, **fields: object) -> None:
        infer = pb.ModelInferRequest(model_name="shop", id=str(call_id))
        infer.inputs.add(name="x", datatype="FP64", shape=[1, 1])
        infer.raw_input_contents.append(struct.pack("<d", number))
        fields = {"model": "m", "version": "1", "prediction": bytes(16)} | fields
        request = hop_pb2.HopRequest(call_id=call_id, request=infer.SerializeToString(), **fields)
        self._requests.put(request)

    def cancel(self, call_id: int) -> None:
        self._requests.put(hop_pb2.HopRequest(call_id=call_id, cancel=True))

    def close(self) -> None:
        self._requests.put(None)


def answer() -> bytes:
    response = pb.ModelInferResponse(model_name="m", model_version="1")
    response.outputs.add(name="y", datatype="FP64", shape=[1, 1])
    response.raw_output_contents.append(bytes(range(8)))
    return response.SerializeToString()


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    loops = Loops()
    specs = [TensorSpec("x", "FP64", [-1, 1])], [TensorSpec("y", "FP64", [-1, 1])]
    model = ModelServer(loops, model="m", version="1", signature=Signature(*specs))
    server = Server(loops, drain_timeout_s=1)
    server.serve(model)
    address = server.listen("127.0.0.1:0", inner=getattr(request, "param", True))
    loops.start()
    server.start()
    with grpc.insecure_channel(address) as channel:
        one = Peer(model, channel)
        yield one
        one.close()
    model.close()
    server.shutdown()
    loops.stop()


def test_answers_come_as_they_are_ready_each_with_its_id(peer: Peer) -> None:
    peer.send(1 << 32 | 0, 1, timeout_us=5_000_000)
    peer.send(1 << 32 | 1, 2)
    first, second = peer.server.next_task(TIMEOUT_S), peer.server.next_task(TIMEOUT_S)
    assert first is not None and second is not None
    assert 0 < first.remaining_s <= 5
    second.respond(answer())
    got = next(peer.answers)
    assert (got.call_id, got.code, got.model, got.version) == (1 << 32 | 1, 0, "m", "1")
    payload = pb.ModelInferResponse.FromString(got.payload)
    assert list(payload.raw_output_contents) == [bytes(range(8))]
    first.fail("Unavailable", "not now")
    got = next(peer.answers)
    assert (got.call_id, got.code, got.message) == (1 << 32, 14, "not now")


def test_a_call_that_was_given_up_is_not_answered(peer: Peer) -> None:
    peer.send(1 << 32, 1)
    task = peer.server.next_task(TIMEOUT_S)
    assert task is not None
    peer.cancel(1 << 32)
    peer.send(2 << 32, 2)  # the same place, used anew
    other = peer.server.next_task(TIMEOUT_S)
    assert other is not None and task.cancelled
    other.respond(answer())
    assert next(peer.answers).call_id == 2 << 32
    peer.close()
    assert list(peer.answers) == []
    assert peer.answers.code() is grpc.StatusCode.OK


def test_the_stream_ends_when_its_last_call_is_answered(peer: Peer) -> None:
    peer.send(7, 1)
    peer.close()
    task = peer.server.next_task(TIMEOUT_S)
    assert task is not None
    task.respond(answer())
    assert [got.call_id for got in peer.answers] == [7]


def test_a_bad_request_is_answered_and_the_stream_goes_on(peer: Peer) -> None:
    peer.send(1, 1, model="other")
    got = next(peer.answers)
    assert got.code == grpc.StatusCode.NOT_FOUND.value[0]
    peer._requests.put(hop_pb2.HopRequest(call_id=2, model="m", request=b"\xff"))
    got = next(peer.answers)
    assert (got.call_id, got.code) == (2, grpc.StatusCode.INVALID_ARGUMENT.value[0])


@pytest.mark.parametrize(
    "frame",
    [
        hop_pb2.HopRequest(call_id=1 << 20, cancel=True),
        hop_pb2.HopRequest(call_id=1, prediction=b"short"),
    ],
)
def test_a_frame_that_breaks_the_contract_ends_the_stream(peer: Peer, frame: hop_pb2.HopRequest) -> None:
    peer._requests.put(frame)
    with pytest.raises(grpc.RpcError) as error:
        next(peer.answers)
    assert error.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("peer", [False], indirect=True)
def test_strangers_are_not_served(peer: Peer) -> None:
    peer.send(1, 1)
    with pytest.raises(grpc.RpcError) as error:
        next(peer.answers)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
