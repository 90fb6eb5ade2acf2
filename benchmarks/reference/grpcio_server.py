"""What the reference servers do, with grpcio: ``grpcio_server.py sync|aio``.

Prints its port; ends with its stdin.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from concurrent import futures

import grpc
import numpy as np

from skysail.proto import inference_pb2

_COLUMNS = 16


def _answer(request: inference_pb2.ModelInferRequest, context: object) -> inference_pb2.ModelInferResponse:
    rows = np.frombuffer(request.raw_input_contents[0], np.float32).reshape(-1, _COLUMNS)
    sums = rows.sum(axis=1)
    response = inference_pb2.ModelInferResponse(
        model_name=request.model_name, model_version="1", id=request.id, raw_output_contents=[sums.tobytes()]
    )
    response.outputs.add(name="y", datatype="FP32", shape=[len(rows), 1])
    return response


async def _answer_async(
    request: inference_pb2.ModelInferRequest, context: object
) -> inference_pb2.ModelInferResponse:
    return _answer(request, context)


def _handler(behaviour: Callable[..., object]) -> grpc.GenericRpcHandler:
    method = grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=inference_pb2.ModelInferRequest.FromString,
        response_serializer=inference_pb2.ModelInferResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ModelInfer": method})


def _serve_blocking() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((_handler(_answer),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None).wait()


async def _serve_asynchronous() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_handler(_answer_async),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    if sys.argv[1:] == ["sync"]:
        _serve_blocking()
    elif sys.argv[1:] == ["aio"]:
        asyncio.run(_serve_asynchronous())
    else:
        sys.exit("usage: grpcio_server.py sync|aio")
