"""The service of the interoperability cases in Python, for grpcio's server and for the native one alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc

INITIAL_KEY = "x-grpc-test-echo-initial"
TRAILING_KEY = "x-grpc-test-echo-trailing-bin"


def servicer(pb: Any, rpc: Any) -> Any:
    """The service; `pb` and `rpc` are the generated modules of test_service.proto."""

    def payload(size: int) -> Any:
        return pb.Payload(body=bytes(size))

    def echo_metadata(context: grpc.ServicerContext) -> None:
        pairs = [(pair.key, pair.value) for pair in context.invocation_metadata()]
        initial = tuple(pair for pair in pairs if pair[0] == INITIAL_KEY)
        if initial:
            context.send_initial_metadata(initial)
        context.set_trailing_metadata(tuple(pair for pair in pairs if pair[0] == TRAILING_KEY))

    def end_if_asked(request: Any, context: grpc.ServicerContext) -> None:
        if request.HasField("response_status"):
            status = next(code for code in grpc.StatusCode if code.value[0] == request.response_status.code)
            context.abort(status, request.response_status.message)

    def answers(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        for wanted in request.response_parameters:
            if wanted.HasField("compressed") and not wanted.compressed.value:
                context.disable_next_message_compression()
            yield pb.StreamingOutputCallResponse(payload=payload(wanted.size))

    class Servicer(rpc.TestServiceServicer):  # type: ignore[misc]
        def EmptyCall(self, request: Any, context: grpc.ServicerContext) -> Any:
            return pb.Empty()

        def UnaryCall(self, request: Any, context: grpc.ServicerContext) -> Any:
            if request.HasField("response_compressed"):
                gzip = request.response_compressed.value
                context.set_compression(grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression)
            echo_metadata(context)
            end_if_asked(request, context)
            return pb.SimpleResponse(payload=payload(request.response_size))

        def CacheableUnaryCall(self, request: Any, context: grpc.ServicerContext) -> Any:
            context.send_initial_metadata((("cache-control", "max-age=60, public"),))
            return pb.SimpleResponse(payload=pb.Payload(body=str(time.time_ns()).encode()))

        def StreamingInputCall(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Any:
            size = sum(len(request.payload.body) for request in requests)
            return pb.StreamingInputCallResponse(aggregated_payload_size=size)

        def StreamingOutputCall(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if any(wanted.compressed.value for wanted in request.response_parameters):
                context.set_compression(grpc.Compression.Gzip)
            yield from answers(request, context)

        def FullDuplexCall(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            echo_metadata(context)
            for request in requests:
                end_if_asked(request, context)
                yield from answers(request, context)

    return Servicer()
