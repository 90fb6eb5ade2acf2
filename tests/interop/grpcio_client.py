"""The interoperability cases with grpcio as the client: a function each, of the case's name."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from tests.interop.service import INITIAL_KEY, TRAILING_KEY

REQUEST_BYTES, RESPONSE_BYTES = 271828, 314159
REQUEST_SIZES, RESPONSE_SIZES = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
METADATA = ((INITIAL_KEY, "test_initial_metadata_value"), (TRAILING_KEY, b"\xab\xab\xab"))
PATIENCE_S = 60.0
GZIP, PLAIN = grpc.Compression.Gzip, grpc.Compression.NoCompression


@dataclass
class Client:
    """A client of one server, on a channel that it shares with nobody."""

    address: str
    pb: Any
    rpc: Any

    def __post_init__(self) -> None:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(self.address, options=options)
        self.stub = self.rpc.TestServiceStub(self.channel)

    def large(self, **fields: Any) -> Any:
        """The request of large_unary."""
        payload = self.pb.Payload(body=bytes(REQUEST_BYTES))
        return self.pb.SimpleRequest(response_size=RESPONSE_BYTES, payload=payload, **fields)

    def large_call(self, request: Any, **options: Any) -> None:
        """Makes a large unary call and checks the answer."""
        answer = self.stub.UnaryCall(request, timeout=PATIENCE_S, **options)
        assert answer.payload.body == bytes(RESPONSE_BYTES)

    def output(self, sizes: tuple[int, ...], payload: int, **fields: Any) -> Any:
        """A request for answers of these sizes."""
        wanted = [self.pb.ResponseParameters(size=size) for size in sizes]
        body = self.pb.Payload(body=bytes(payload))
        return self.pb.StreamingOutputCallRequest(response_parameters=wanted, payload=body, **fields)

    def still_serving(self) -> None:
        """The connection serves on after what was done to one of its calls."""
        self.stub.EmptyCall(self.pb.Empty(), timeout=PATIENCE_S)


class Pipe:
    """Requests of a stream, given one at a time."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._queue.get, None)

    def send(self, request: Any) -> None:
        self._queue.put(request)

    def close(self) -> None:
        self._queue.put(None)


def failure(act: Callable[[], object]) -> Any:
    """How `act` fails."""
    try:
        act()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call succeeded")


def empty_unary(client: Client) -> None:
    assert client.stub.EmptyCall(client.pb.Empty(), timeout=PATIENCE_S) == client.pb.Empty()


def cacheable_unary(client: Client) -> None:
    # As POST: the protocol has no other verb any more.
    for _ in range(2):
        request = client.pb.SimpleRequest(payload=client.pb.Payload(body=bytes(19)))
        answer, call = client.stub.CacheableUnaryCall.with_call(
            request, metadata=(("x-user-ip", "1.2.3.4"),), timeout=PATIENCE_S
        )
        assert "max-age=60" in dict(call.initial_metadata())["cache-control"]
        assert answer.payload.body


def large_unary(client: Client) -> None:
    client.large_call(client.large())


def client_compressed_unary(client: Client) -> None:
    for compressed in (True, False):
        expected = client.pb.BoolValue(value=compressed)
        request = client.large(expect_compressed=expected, response_compressed=client.pb.BoolValue())
        client.large_call(request, compression=GZIP if compressed else PLAIN)


def server_compressed_unary(client: Client) -> None:
    for compressed in (True, False):
        client.large_call(client.large(response_compressed=client.pb.BoolValue(value=compressed)))


def client_streaming(client: Client, **options: Any) -> None:
    requests = [
        client.pb.StreamingInputCallRequest(payload=client.pb.Payload(body=bytes(n))) for n in REQUEST_SIZES
    ]
    answer = client.stub.StreamingInputCall(iter(requests), timeout=PATIENCE_S, **options)
    assert answer.aggregated_payload_size == 74922


def client_compressed_streaming(client: Client) -> None:
    # grpcio compresses all messages of a call or none: one call of each kind.
    client_streaming(client, compression=GZIP)
    client_streaming(client, compression=PLAIN)


def server_streaming(client: Client) -> None:
    answers = client.stub.StreamingOutputCall(client.output(RESPONSE_SIZES, 0), timeout=PATIENCE_S)
    assert [answer.payload.body for answer in answers] == [bytes(size) for size in RESPONSE_SIZES]


def server_compressed_streaming(client: Client) -> None:
    request = client.output((31415, 92653), 0)
    for wanted, compressed in zip(request.response_parameters, (True, False), strict=True):
        wanted.compressed.value = compressed
    answers = client.stub.StreamingOutputCall(request, timeout=PATIENCE_S)
    assert [answer.payload.body for answer in answers] == [bytes(31415), bytes(92653)]


def ping_pong(client: Client) -> None:
    pipe = Pipe()
    answers = client.stub.FullDuplexCall(iter(pipe), timeout=PATIENCE_S)
    for sent, wanted in zip(REQUEST_SIZES, RESPONSE_SIZES, strict=True):
        pipe.send(client.output((wanted,), sent))
        assert next(answers).payload.body == bytes(wanted)
    pipe.close()
    assert list(answers) == []


def empty_stream(client: Client) -> None:
    assert list(client.stub.FullDuplexCall(iter(()), timeout=PATIENCE_S)) == []


def custom_metadata(client: Client) -> None:
    answer, unary = client.stub.UnaryCall.with_call(client.large(), metadata=METADATA, timeout=PATIENCE_S)
    assert answer.payload.body == bytes(RESPONSE_BYTES)
    request = client.output((RESPONSE_BYTES,), REQUEST_BYTES)
    duplex = client.stub.FullDuplexCall(iter((request,)), metadata=METADATA, timeout=PATIENCE_S)
    assert [answer.payload.body for answer in duplex] == [bytes(RESPONSE_BYTES)]
    for call in (unary, duplex):
        assert METADATA[0] in [tuple(pair) for pair in call.initial_metadata()]
        assert METADATA[1] in [tuple(pair) for pair in call.trailing_metadata()]


def _status_comes_back(client: Client, message: str, *, duplex: bool) -> None:
    status = client.pb.EchoStatus(code=2, message=message)
    request = client.pb.SimpleRequest(response_status=status)
    errors = [failure(lambda: client.stub.UnaryCall(request, timeout=PATIENCE_S))]
    if duplex:
        asked = client.pb.StreamingOutputCallRequest(response_status=status)
        errors.append(failure(lambda: list(client.stub.FullDuplexCall(iter((asked,)), timeout=PATIENCE_S))))
    for error in errors:
        assert (error.code(), error.details()) == (grpc.StatusCode.UNKNOWN, message)


def status_code_and_message(client: Client) -> None:
    _status_comes_back(client, "test status message", duplex=True)


def special_status_message(client: Client) -> None:
    message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    _status_comes_back(client, message, duplex=False)


def unimplemented_method(client: Client) -> None:
    error = failure(lambda: client.stub.UnimplementedCall(client.pb.Empty(), timeout=PATIENCE_S))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def unimplemented_service(client: Client) -> None:
    stub = client.rpc.UnimplementedServiceStub(client.channel)
    error = failure(lambda: stub.UnimplementedCall(client.pb.Empty(), timeout=PATIENCE_S))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


def cancel_after_begin(client: Client) -> None:
    client.still_serving()
    pipe = Pipe()
    call = client.stub.StreamingInputCall.future(iter(pipe))
    call.cancel()
    pipe.close()
    assert call.cancelled()
    assert call.code() is grpc.StatusCode.CANCELLED
    client.still_serving()


def cancel_after_first_response(client: Client) -> None:
    pipe = Pipe()
    call = client.stub.FullDuplexCall(iter(pipe), timeout=PATIENCE_S)
    pipe.send(client.output((31415,), 27182))
    assert next(call).payload.body == bytes(31415)
    call.cancel()
    assert failure(lambda: next(call)).code() is grpc.StatusCode.CANCELLED
    pipe.close()
    client.still_serving()


def timeout_on_sleeping_server(client: Client) -> None:
    client.still_serving()
    pipe = Pipe()
    pipe.send(client.output((), 27182))
    call = client.stub.FullDuplexCall(iter(pipe), timeout=0.001)
    assert failure(lambda: next(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    pipe.close()
    client.still_serving()


def concurrent_large_unary(client: Client) -> None:
    request = client.large()
    calls = [client.stub.UnaryCall.future(request, timeout=PATIENCE_S) for _ in range(1000)]
    assert all(call.result().payload.body == bytes(RESPONSE_BYTES) for call in calls)


def rpc_soak(client: Client) -> None:
    request = client.large()
    for _ in range(200):
        client.large_call(request)


def channel_soak(client: Client) -> None:
    request = client.large()
    for _ in range(100):
        fresh = Client(client.address, client.pb, client.rpc)
        fresh.large_call(request)
        fresh.channel.close()


CASES: dict[str, Callable[[Client], None]] = {
    case.__name__: case
    for case in (
        *(empty_unary, cacheable_unary, large_unary, client_compressed_unary, server_compressed_unary),
        *(client_streaming, client_compressed_streaming, server_streaming, server_compressed_streaming),
        *(ping_pong, empty_stream, custom_metadata, status_code_and_message, special_status_message),
        *(unimplemented_method, unimplemented_service, cancel_after_begin, cancel_after_first_response),
        *(timeout_on_sleeping_server, concurrent_large_unary, rpc_soak, channel_soak),
    )
}
